import type * as pulumi from "@pulumi/pulumi";

import type { DnsRecordArgs } from "../components/dnsRecord.ts";
import { aws } from "./aws/cloud.ts";
import type { AwsDockerHostArgs } from "./aws/host.ts";
import type { Cloud } from "./cloud.ts";
import { digitalOcean } from "./digitalOcean/cloud.ts";
import type { DigitalOceanDockerHostArgs } from "./digitalOcean/host.ts";
import type { DnsimpleDnsRecordArgs } from "./dnsimple/record.ts";

/** What each cloud needs to know of a host, by the target that names the cloud. */
export interface CloudHosts {
  readonly aws: AwsDockerHostArgs;
  readonly digitalocean: DigitalOceanDockerHostArgs;
}

export type CloudTarget = keyof CloudHosts;

/** All clouds. Their SDKs are loaded, and need be installed, only where one is used. */
export const clouds: { readonly [T in CloudTarget]: Cloud<CloudHosts[T]> } = { aws, digitalocean: digitalOcean };

/** The cloud that a resource of the state is, or was, in; undefined elsewhere. */
export function cloudOf({ type }: { readonly type: string }): Cloud<never> | undefined {
  return Object.values(clouds).find((cloud) => type.startsWith(`${cloud.package}:`));
}

/** What each provider of DNS needs to know of a record. */
export interface DnsRecords {
  readonly route53: DnsRecordArgs;
  readonly digitalocean: DnsRecordArgs;
  readonly dnsimple: DnsimpleDnsRecordArgs;
}

type CreateRecord<Args> = (name: string, args: Args) => Promise<pulumi.ComponentResource>;

/** All that make DNS records, in a zone that is there already. */
export const dnsProviders: { readonly [P in keyof DnsRecords]: CreateRecord<DnsRecords[P]> } = {
  route53: async (name, args) => new (await import("./aws/record.ts")).Route53DnsRecord(name, args),
  digitalocean: async (name, args) => new (await import("./digitalOcean/record.ts")).DigitalOceanDnsRecord(name, args),
  dnsimple: async (name, args) => new (await import("./dnsimple/record.ts")).DnsimpleDnsRecord(name, args),
};
