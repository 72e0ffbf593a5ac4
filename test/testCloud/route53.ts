import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

import { Moto } from "../aws/moto.ts";
import { type IamRequest, isAllowed } from "../support/iam.ts";
import type { Aws } from "./aws.ts";
import type { Dns } from "./dns.ts";

interface RecordSet {
  readonly Name: string;
  readonly Type: string;
  readonly TTL: number;
  readonly ResourceRecords: readonly { readonly Value: string }[];
}

const recordNames = "route53:ChangeResourceRecordSetsNormalizedRecordNames";

type Answer = readonly [status: number, body: string];

/**
 * The API of Route 53 and IAM for the users that a stack made in the test cloud: moto keeps the records, and each request
 * must be signed by a user whose policy allows it. Its TXT records are served by the test cloud's name server.
 */
export class Route53 {
  static async start(address: string, zones: readonly string[], aws: Aws, dns: Dns): Promise<Route53> {
    const route53 = new Route53(await Moto.start(), aws, dns);
    for (const zone of zones) {
      const { HostedZone } = await route53.moto.call("route53", "create_hosted_zone", {
        ...{ Name: zone, CallerReference: zone },
      });
      route53.zones.set(aws.zoneIdOf(zone), (HostedZone as { Id: string }).Id.replace("/hostedzone/", ""));
    }
    route53.server.listen(0, address);
    await once(route53.server, "listening");
    return route53;
  }

  /** Each request that a user signed. */
  private readonly asked: IamRequest[] = [];
  readonly moto: Moto;
  private readonly aws: Aws;
  private readonly dns: Dns;
  /** What moto calls a zone of the test cloud. */
  private readonly zones = new Map<string, string>();
  private readonly server = createServer((request, response) => {
    void this.answer(request)
      .catch((error: unknown): Answer => [500, String(error)])
      .then(([status, body]) => {
        response.writeHead(status, { "Content-Type": "text/xml" });
        response.end(body);
      });
  });

  private constructor(moto: Moto, aws: Aws, dns: Dns) {
    this.moto = moto;
    this.aws = aws;
    this.dns = dns;
  }

  get url(): string {
    const { address, port } = this.server.address() as AddressInfo;
    return `http://${address}:${String(port)}`;
  }

  /** The names of the records that somebody asked to change, each once. */
  get written(): string[] {
    return [...new Set(this.asked.flatMap(({ context }) => context[recordNames] ?? []))];
  }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await this.moto.stop();
  }

  private async answer(incoming: IncomingMessage): Promise<Answer> {
    const body = await text(incoming);
    const key = this.aws.accessKeys.get(/Credential=(\w+)\//.exec(incoming.headers.authorization ?? "")?.[1]);
    if (key === undefined) return refusal("InvalidClientTokenId", "The security token in the request is invalid.");
    if (!isSigned(incoming, body, key.state.secret ?? ""))
      return refusal("SignatureDoesNotMatch", "The request signature does not match.");
    const request = requestOf(incoming, body);
    const user = key.inputs.user;
    const policy = this.aws.userPolicies.all.find(({ inputs }) => inputs.user === user)?.inputs.policy;
    const allowed = policy !== undefined && (await isAllowed(policy as string, request));
    this.asked.push(request);
    if (!allowed) return refusal("AccessDenied", `User: ${user} is not authorized to perform: ${request.action}`);
    return this.forward(incoming, body);
  }

  private async forward({ method = "", url = "" }: IncomingMessage, body: string): Promise<Answer> {
    const path = url.replace(/(?<=\/hostedzone\/)\w+/, (id) => this.zones.get(id) ?? id);
    const headers = { Authorization: "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/route53/aws4_request" };
    const options = { method, headers, ...(body === "" ? {} : { body }) };
    const answer = await fetch(`${String(this.moto.env["AWS_ENDPOINT_URL"])}${path}`, options);
    const content = await answer.text();
    if (answer.ok && method === "POST") await this.serve();
    return [answer.status, content];
  }

  /** Has the name server answer with the TXT records that there are now. */
  private async serve(): Promise<void> {
    for (const HostedZoneId of this.zones.values()) {
      const list = await this.moto.call("route53", "list_resource_record_sets", { HostedZoneId });
      const texts = (list["ResourceRecordSets"] as RecordSet[]).filter(({ Type }) => Type === "TXT");
      const owner = `Route 53, ${HostedZoneId}`;
      for (const served of this.dns.owners.filter((each) => String(each).startsWith(owner)))
        await this.dns.delete(served);
      for (const { Name, TTL, ResourceRecords } of texts) {
        const name = Name.replace(/\.$/, "");
        const values = ResourceRecords.map(({ Value }) => Value.replace(/^"|"$/g, ""));
        await this.dns.set(`${owner}, ${name}`, { name, type: "TXT", ttl: TTL, values });
      }
    }
  }
}

/** What a request asks for, as AWS's policies call it. */
function requestOf({ method = "", url = "", headers }: IncomingMessage, body: string): IamRequest {
  const service = /Credential=\w+\/\d+\/[\w-]+\/(\w+)\//.exec(headers.authorization ?? "")?.[1];
  if (service !== "route53") {
    const action = new URLSearchParams(body).get("Action") ?? "";
    const user = new URLSearchParams(body).get("UserName") ?? "";
    return { action: `${service ?? ""}:${action}`, resource: `arn:aws:iam::123456789012:user/${user}`, context: {} };
  }
  const [, , kind, id = "", part] = new URL(url, "http://route53").pathname.split("/");
  const resource = `arn:aws:route53:::${kind ?? ""}/${id}`;
  const asked = [method, kind, ...(id === "" ? [] : ["ID"]), ...(part ? [part] : [])].join(" ");
  const action = {
    "POST hostedzone ID rrset": "ChangeResourceRecordSets",
    "GET hostedzone ID rrset": "ListResourceRecordSets",
    "GET hostedzone ID": "GetHostedZone",
    "DELETE hostedzone ID": "DeleteHostedZone",
    "GET hostedzone": "ListHostedZones",
    "POST hostedzone": "CreateHostedZone",
    "GET change ID": "GetChange",
  }[asked];
  if (action === undefined) throw new Error(`the Route 53 for tests knows no ${asked}`);
  return {
    action: `route53:${action}`,
    resource: id === "" ? "*" : resource,
    context: action === "ChangeResourceRecordSets" ? contextOf(body) : {},
  };
}

/** The condition keys of a change of records. */
function contextOf(body: string): Record<string, string[]> {
  const all = (tag: string) =>
    Array.from(body.matchAll(new RegExp(`<${tag}>([^<]*)</${tag}>`, "g")), ([, each]) => each ?? "");
  return Object.fromEntries(
    Object.entries({
      NormalizedRecordNames: all("Name").map((name) => name.toLowerCase().replace(/\.$/, "")),
      RecordTypes: all("Type"),
      Actions: all("Action"),
    }).map(([key, values]) => [`route53:ChangeResourceRecordSets${key}`, [...new Set(values)]]),
  );
}

/** Whether a request is signed with a secret: AWS's Signature Version 4. */
function isSigned({ method = "", url = "", headers }: IncomingMessage, body: string, secret: string): boolean {
  const { authorization = "" } = headers;
  const [, scope = "", names = "", signature] =
    /Credential=\w+\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w+)/.exec(authorization) ?? [];
  const { pathname, searchParams } = new URL(url, "http://route53");
  searchParams.sort();
  const canonical = [
    ...[method, pathname, searchParams.toString().replaceAll("+", "%20")],
    ...names.split(";").map((name) => `${name}:${String(headers[name] ?? "").trim()}`),
    ...["", names, sha256(body)],
  ].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, sha256(canonical)].join("\n");
  const key = scope.split("/").reduce((each: string | Buffer, part) => hmac(each, part), `AWS4${secret}`);
  return hmac(key, toSign).toString("hex") === signature;
}

const sha256 = (content: string) => createHash("sha256").update(content).digest("hex");
const hmac = (key: string | Buffer, content: string) => createHmac("sha256", key).update(content).digest();

function refusal(code: string, message: string): Answer {
  const error = `<Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error>`;
  return [403, `<?xml version="1.0"?><ErrorResponse>${error}<RequestId>1</RequestId></ErrorResponse>`];
}
