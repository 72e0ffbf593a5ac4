import type * as pulumi from "@pulumi/pulumi";

/** What a name is to point at, in whichever zone and with whichever provider. */
export interface DnsRecordArgs {
  /** The whole name, without a dot at its end: `registry.example.com`. A change makes other records. */
  readonly name: string;
  /** The zone that has it: `example.com`. It is there already. A change makes other records. */
  readonly zone: string;
  /** For how long resolvers may keep an answer, seconds. */
  readonly ttl: number;
  /** An IPv4 address, for the A record. */
  readonly ipv4Address: pulumi.Input<string>;
  /** For the AAAA record. Default: there is none. */
  readonly ipv6Address?: pulumi.Input<string> | undefined;
}

/** The records that are to be made: the A record, and the AAAA record where there is an address for it. */
export function recordsOf(
  args: DnsRecordArgs,
): { readonly type: "A" | "AAAA"; readonly value: pulumi.Input<string> }[] {
  return [
    { type: "A", value: args.ipv4Address },
    ...(args.ipv6Address === undefined ? [] : [{ type: "AAAA" as const, value: args.ipv6Address }]),
  ];
}

/** A name as its zone has it: `registry`, and `@` for the zone itself. */
export function nameInZone(name: string, zone: string): string {
  return name === zone ? "@" : name.slice(0, -zone.length - 1);
}

/** Whether a zone can have a name. */
export function isInZone(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`);
}
