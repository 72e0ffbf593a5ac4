import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import type { Zone, ZoneRecord } from "dnsimple";

import { issue } from "../support/certificates.ts";
import type { Dns } from "./dns.ts";
import type { Faults } from "./faults.ts";
import { Refusal } from "./kinds.ts";

/** A body that is a string is sent as it is, not as JSON. */
type Answer = readonly [status: number, body?: object | string];

const time = new Date(0).toISOString();
const repeated: Answer = [400, { message: "Validation failed", errors: { base: ["The record already exists"] } }];

/** The records part of DNSimple's API v2, on loopback. */
export class Dnsimple {
  readonly account = 1010;
  readonly token: string;
  /** The authority of its certificate, for NODE_EXTRA_CA_CERTS: their client library speaks TLS only. */
  readonly authority: string;
  /** Whether only a server in front of it answers. */
  isDown = false;
  private readonly server: Server;
  private readonly zones: readonly Zone[];
  private records: ZoneRecord[] = [];
  private lastId = 0;
  private readonly dns: Dns;
  private readonly faults: Faults;

  constructor(folder: string, zones: readonly string[], token: string, dns: Dns, faults: Faults) {
    this.dns = dns;
    this.faults = faults;
    const ca = issue({ commonName: "DNSimple CA" });
    const { certificate, key } = issue({ commonName: "DNSimple", names: "IP:127.0.0.1", issuer: ca });
    this.authority = join(folder, "dnsimple-ca.pem");
    writeFileSync(this.authority, ca.certificate);
    this.token = token;
    this.zones = zones.map((name, index) => this.zone(name, index + 1));
    this.server = createServer({ cert: certificate, key }, (request, response) => {
      void this.answer(request).then(([status, body]) => {
        response.writeHead(status, { "Content-Type": typeof body === "string" ? "text/html" : "application/json" });
        response.end(typeof body === "string" ? body : body && JSON.stringify(body));
      });
    });
  }

  /** The base URL of the API. */
  get url(): string {
    return `https://127.0.0.1:${String((this.server.address() as AddressInfo).port)}`;
  }

  async start(): Promise<void> {
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  /** Deletes the records of a name, as somebody does by hand. */
  async forget(name: string): Promise<void> {
    for (const record of this.records.filter((each) => each.name === name)) await this.remove(record);
  }

  private zone(name: string, id: number): Zone {
    const dates = { created_at: time, updated_at: time, last_transferred_at: time };
    return { id, account_id: this.account, name, reverse: false, secondary: false, active: true, ...dates };
  }

  private async answer(request: IncomingMessage): Promise<Answer> {
    const url = new URL(request.url ?? "", this.url);
    const body = await text(request);
    if (this.isDown) return [503, "<html><body>Service Unavailable</body></html>"];
    if (request.headers.authorization !== `Bearer ${this.token}`) return [401, { message: "Authentication failed" }];
    const path = url.pathname.replace(/^\/v2/, "").replace(new RegExp(`^/${String(this.account)}/`), "/");
    const content = (body === "" ? {} : JSON.parse(body)) as Partial<ZoneRecord>;
    try {
      const method = request.method ?? "";
      return await this.faults.around(`${method} ${path}`, () => this.act(method, path, url.searchParams, content));
    } catch (error) {
      if (error instanceof Refusal) return [Number(error.code), { message: error.message }];
      request.destroy(); // This answer gets lost.
      return [500];
    }
  }

  private act(
    method: string,
    path: string,
    query: URLSearchParams,
    content: Partial<ZoneRecord>,
  ): Answer | Promise<Answer> {
    if (path === "/whoami")
      return [200, { data: { account: { id: this.account, email: "test@example.com" }, user: null } }];
    const [, zones, name, records, id] = path.split("/");
    if (zones !== "zones") return [404, { message: "Not found" }];
    if (name === undefined) return listed(this.zones);
    const zone = this.zones.find((each) => each.name === name);
    if (zone === undefined) return [404, { message: `Zone \`${name}\` not found` }];
    if (records === undefined) return [200, { data: zone }];
    return id === undefined ? this.inZone(method, zone, query, content) : this.atRecord(method, Number(id), content);
  }

  private inZone(
    method: string,
    zone: Zone,
    query: URLSearchParams,
    content: Partial<ZoneRecord>,
  ): Answer | Promise<Answer> {
    const matches = (record: ZoneRecord, key: "name" | "type") => !query.has(key) || query.get(key) === record[key];
    if (method === "GET") {
      const inZone = this.records.filter(({ zone_id }) => zone_id === zone.name);
      return listed(inZone.filter((record) => matches(record, "name") && matches(record, "type")));
    }
    return method === "POST" ? this.create(zone, content) : [405, {}];
  }

  private async create(
    zone: Zone,
    { name = "", type = "A", content = "", ttl = 3600 }: Partial<ZoneRecord>,
  ): Promise<Answer> {
    if (this.hasTwin({ zone_id: zone.name, name, type, content })) return repeated;
    const id = ++this.lastId;
    const rest = { parent_id: null, priority: null, regions: ["global" as const], system_record: false };
    const record: ZoneRecord = {
      id,
      zone_id: zone.name,
      name,
      type,
      content,
      ttl,
      ...rest,
      created_at: time,
      updated_at: time,
    };
    this.records.push(record);
    await this.serve(record);
    return [201, { data: record }];
  }

  private async atRecord(method: string, id: number, content: Partial<ZoneRecord>): Promise<Answer> {
    const record = this.records.find((each) => each.id === id);
    if (record === undefined) return [404, { message: `Record \`${String(id)}\` not found` }];
    switch (method) {
      case "GET":
        return [200, { data: record }];
      case "PATCH":
        if (this.hasTwin({ ...record, ...content }, record)) return repeated;
        await this.serve(Object.assign(record, content));
        return [200, { data: record }];
      case "DELETE":
        await this.remove(record);
        return [204];
      default:
        return [405, {}];
    }
  }

  private async remove(record: ZoneRecord): Promise<void> {
    this.records = this.records.filter((each) => each !== record);
    await this.dns.delete(record);
  }

  private hasTwin(wanted: Pick<ZoneRecord, "zone_id" | "name" | "type" | "content">, itself?: ZoneRecord): boolean {
    const keys = ["zone_id", "name", "type", "content"] as const;
    return this.records.some((record) => record !== itself && keys.every((key) => record[key] === wanted[key]));
  }

  private serve(record: ZoneRecord): Promise<void> {
    const name = record.name === "" ? record.zone_id : `${record.name}.${record.zone_id}`;
    return this.dns.set(record, { name, type: record.type, ttl: record.ttl, values: [record.content] });
  }
}

function listed(data: readonly object[]): Answer {
  const pagination = { current_page: 1, per_page: 100, total_entries: data.length, total_pages: 1 };
  return [200, { data, pagination }];
}
