import type * as pulumi from "@pulumi/pulumi";

/** A name and where it points, for any provider. */
export interface DnsRecordArgs {
  /** The whole name, without a trailing dot: `registry.example.com`. A change replaces the records. */
  readonly name: string;
  /** The existing zone that contains the name: `example.com`. A change replaces the records. */
  readonly zone: string;
  /** How long resolvers may cache an answer, seconds. */
  readonly ttl: number;
  /** An IPv4 address, for the A record. */
  readonly ipv4Address: pulumi.Input<string>;
  /** For the AAAA record. Default: no such record. */
  readonly ipv6Address?: pulumi.Input<string> | undefined;
}

/** The records to create: an A record, and an AAAA record if there is an IPv6 address. */
export function recordsOf(
  args: DnsRecordArgs,
): { readonly type: "A" | "AAAA"; readonly value: pulumi.Input<string> }[] {
  return [
    { type: "A", value: args.ipv4Address },
    ...(args.ipv6Address === undefined ? [] : [{ type: "AAAA" as const, value: args.ipv6Address }]),
  ];
}

/** A name relative to its zone: `registry`, or `@` for the zone itself. */
export function nameInZone(name: string, zone: string): string {
  return name === zone ? "@" : name.slice(0, -zone.length - 1);
}

/** Whether a name belongs to a zone. */
export function isInZone(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`);
}
