import { isIPv4 } from "node:net";

import * as pulumi from "@pulumi/pulumi";
import type * as z from "zod/mini";

import { configCommand } from "../components/commands.ts";
import { isInZone } from "../components/dnsRecord.ts";
import type { Problems } from "./problems.ts";
import type { settings } from "./schema.ts";
import type { Some } from "./shape.ts";

/** Where to create the record that points the hostname at the host, in an existing zone. */
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

type Given = Some<z.output<typeof settings>>["dns"];

/**
 * @param hostname The name of the record.
 * @param address The address of the host, if it is already known. A record can hold only an IPv4 address.
 */
export function readDns(
  given: Given,
  hostname: string | undefined,
  address: string | undefined,
  problems: Problems,
): DnsSettings | undefined {
  if (given?.provider === undefined) return undefined;
  if (address !== undefined && !isIPv4(address)) {
    const wrong = `creates an A record, but the host's address, ${address}, is not an IPv4 address`;
    problems.add("dns", wrong, `${configCommand("rm", "dns")}, or name a host that other machines can reach`);
  }
  const zone = given.zone?.toLowerCase().replace(/\.$/, "") ?? "";
  if (!problems.has("dns.zone")) checkName(hostname, zone, problems);
  const common = { zone, ttl: given.ttl ?? 0 };
  if (given.provider !== "dnsimple") return { ...common, provider: given.provider };
  const { provider, account = 0, token = "", apiUrl } = given;
  return { ...common, provider, account, token: pulumi.secret(token), apiUrl: apiUrl?.replace(/\/$/, "") };
}

function checkName(hostname: string | undefined, zone: string, problems: Problems): void {
  const cure = configCommand("set", "hostname", `registry.${zone}`);
  if (hostname === undefined) problems.add("hostname", "is not set: a DNS record needs a name", cure);
  else if (!isInZone(hostname, zone))
    problems.add(
      "hostname",
      `"${hostname}" is not in the zone "${zone}", so that zone can't have a record for it`,
      cure,
    );
}
