import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

import type { Dns } from "./dns.ts";

type Answer = readonly [status: number, body?: object];

/** The part of DigitalOcean's API v2 that changes records, for a token that may do nothing else. */
export class DigitalOceanDns {
  static async start(address: string, domains: readonly string[], dns: Dns): Promise<DigitalOceanDns> {
    const api = new DigitalOceanDns(domains, dns);
    api.server.listen(0, address);
    await once(api.server, "listening");
    return api;
  }

  readonly token = `dop_v1_${randomBytes(32).toString("hex")}`;
  /** Each request that it carried out: `POST /v2/domains/example.com/records TXT NAME`. */
  private readonly done: string[] = [];
  private readonly server = createServer((request, response) => {
    void this.answer(request).then(([status, body]) => {
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(body && JSON.stringify(body));
    });
  });
  private readonly records = new Map<string, object>();
  private readonly domains: readonly string[];
  private readonly dns: Dns;

  private constructor(domains: readonly string[], dns: Dns) {
    this.domains = domains;
    this.dns = dns;
  }

  get url(): string {
    const { address, port } = this.server.address() as AddressInfo;
    return `http://${address}:${String(port)}`;
  }

  /** The names of the TXT records that were written, each once. */
  get written(): string[] {
    return [...new Set(this.done.flatMap((each) => / TXT (.*)/.exec(each)?.[1] ?? []))];
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async answer(request: IncomingMessage): Promise<Answer> {
    const { method = "", url = "", headers } = request;
    const body = await text(request);
    const refused = { id: "unauthorized", message: "Unable to authenticate you" };
    if (headers.authorization !== `Bearer ${this.token}`) return [401, refused];
    const [, version, what, domain = "", records, id] = url.split("/");
    if (version !== "v2" || what !== "domains" || records !== "records" || !this.domains.includes(domain))
      return [404, { id: "not_found", message: "The resource you were accessing could not be found." }];
    if (method === "POST") return this.create(url, body);
    if (method === "DELETE") return this.delete(url, id ?? "");
    return [405, { id: "method_not_allowed", message: method }];
  }

  private async create(url: string, body: string): Promise<Answer> {
    const { type, name, data, ttl } = JSON.parse(body) as { type: string; name: string; data: string; ttl: number };
    if (ttl < 30) return [422, { id: "unprocessable_entity", message: "TTL must be at least 30" }];
    const id = this.done.length + 1;
    const record = { name: name.replace(/\.$/, ""), type, ttl, values: [data] };
    this.records.set(String(id), record);
    await this.dns.set(record, record);
    this.done.push(`POST ${url} ${type} ${record.name}`);
    return [201, { domain_record: { id, type, name, data, ttl } }];
  }

  private async delete(url: string, id: string): Promise<Answer> {
    const record = this.records.get(id);
    if (record === undefined) return [404, { id: "not_found", message: "The resource could not be found." }];
    this.records.delete(id);
    await this.dns.delete(record);
    this.done.push(`DELETE ${url}`);
    return [204];
  }
}
