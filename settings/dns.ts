import { isIPv4 } from "node:net";

import * as pulumi from "@pulumi/pulumi";

import { configCommand } from "../components/commands.ts";
import { isInZone } from "../components/dnsRecord.ts";
import { isNot, isRecord, readJson } from "./json.ts";
import { nearest, type Problems } from "./problems.ts";
import { parseSecret, parseText } from "./text.ts";

/** Where the record is made that points the hostname at the host, in a zone that is there already. */
export type DnsSettings = {
  /** `example.com` */
  readonly zone: string;
  /** Seconds. */
  readonly ttl: number;
} & (
  | { readonly provider: "route53" | "digitalocean" }
  | {
      readonly provider: "dnsimple";
      readonly account: number;
      readonly token: pulumi.Output<string>;
      readonly apiUrl?: string | undefined;
    }
);

const commonKeys = ["provider", "zone", "ttl"];
const keys = {
  route53: commonKeys,
  digitalocean: commonKeys,
  dnsimple: [...commonKeys, "account", "token", "apiUrl"],
} as const;

const providers = ["route53", "digitalocean", "dnsimple"] as const;

/**
 * @param hostname What the record is for.
 * @param address The host's, where it is known beforehand: a record can hold nothing but an IPv4 address.
 */
export function parseDns(
  json: string | undefined,
  hostname: string | undefined,
  address: string | undefined,
  problems: Problems,
): DnsSettings | undefined {
  if (json === undefined) return undefined;
  const value = readJson(json);
  const provider = providers.find((known) => isRecord(value) && known === value["provider"]);
  if (!isRecord(value) || provider === undefined) {
    const given = isRecord(value) ? value["provider"] : value;
    const near = typeof given === "string" ? nearest(given, providers) : undefined;
    const wrong = `${isNot(given, "a DNS provider")}; there are: ${providers.join(", ")}`;
    return problems.add("dns.provider", wrong, configCommand("set", "dns.provider", near ?? "route53"));
  }
  for (const key of Object.keys(value)) problems.addUnknownKey("dns.", key, keys[provider]);
  if (address !== undefined && !isIPv4(address)) {
    const wrong = `makes an A record, and the host's address, ${address}, is not an IPv4 address`;
    problems.add("dns", wrong, `${configCommand("rm", "dns")}, or name a host that others reach`);
  }
  const common = { zone: parseZone(value["zone"], hostname, problems), ttl: parseTtl(value["ttl"], problems) };
  return provider === "dnsimple" ? { ...common, provider, ...parseAccount(value, problems) } : { ...common, provider };
}

function parseZone(value: unknown, hostname: string | undefined, problems: Problems): string {
  const what = "the name of a zone";
  const text = parseText(value, { path: "dns.zone", what, example: "example.com" }, problems);
  const zone = text?.toLowerCase().replace(/\.$/, "") ?? "";
  if (!/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$/.test(zone)) {
    problems.add("dns.zone", isNot(value, what), configCommand("set", "dns.zone", "example.com"));
  } else if (hostname === undefined) {
    const wrong = "is not set, and a DNS record needs a name";
    problems.add("hostname", wrong, configCommand("set", "hostname", `registry.${zone}`));
  } else if (!isInZone(hostname, zone)) {
    const wrong = `"${hostname}" is not in the zone "${zone}", so no record there can be for it`;
    problems.add("hostname", wrong, configCommand("set", "hostname", `registry.${zone}`));
  }
  return zone;
}

function parseTtl(value: unknown, problems: Problems): number {
  const ttl = Number(value ?? 300);
  if (!(Number.isInteger(ttl) && ttl >= 30 && ttl <= 86_400)) {
    const wrong = isNot(value, "a whole number of seconds from 30 to 86400");
    problems.add("dns.ttl", wrong, configCommand("set", "dns.ttl", "300"));
  }
  return ttl;
}

/** The token is never quoted in a problem. */
function parseAccount(value: Record<string, unknown>, problems: Problems) {
  const { account } = value;
  if (!/^\d+$/.test(String(account))) {
    const wrong = isNot(account, "the number of a DNSimple account");
    problems.add("dns.account", wrong, configCommand("set", "dns.account", "1010"));
  }
  const token = parseSecret(value["token"], { path: "dns.token", what: "an API token of the account" }, problems);
  const url = { path: "dns.apiUrl", what: "an https URL", example: "https://api.sandbox.dnsimple.com" };
  const apiUrl = value["apiUrl"] === undefined ? undefined : parseText(value["apiUrl"], url, problems);
  // Their library speaks TLS whatever is written.
  if (apiUrl !== undefined && !(apiUrl.startsWith("https:") && URL.canParse(apiUrl)))
    problems.add(url.path, isNot(apiUrl, url.what), configCommand("set", url.path, url.example));
  return {
    account: Number(account),
    token: pulumi.secret(token ?? ""),
    apiUrl: apiUrl?.replace(/\/$/, ""),
  };
}
