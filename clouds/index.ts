import type * as pulumi from "@pulumi/pulumi";

import type { ChallengeAccess, DnsChallenge } from "../components/certificate/acme/challenge.ts";
import type { DnsRecordArgs } from "../components/dnsRecord.ts";
import { aws } from "./aws/cloud.ts";
import type { AwsDockerHostArgs } from "./aws/host.ts";
import type { Cloud } from "./cloud.ts";
import { digitalOcean } from "./digitalOcean/cloud.ts";
import type { DigitalOceanDockerHostArgs } from "./digitalOcean/host.ts";
import type { DnsimpleDnsRecordArgs } from "./dnsimple/record.ts";

/** The args of a host in each cloud, by target. */
export interface CloudHosts {
  readonly aws: AwsDockerHostArgs;
  readonly digitalocean: DigitalOceanDockerHostArgs;
}

export type CloudTarget = keyof CloudHosts;

/** All clouds. Their SDKs are loaded, and must be installed, only if one is used. */
export const clouds: { readonly [T in CloudTarget]: Cloud<CloudHosts[T]> } = { aws, digitalocean: digitalOcean };

/** The cloud of a resource in the state; undefined for other resources. */
export function cloudOf({ type }: { readonly type: string }): Cloud<never> | undefined {
  return Object.values(clouds).find((cloud) => type.startsWith(`${cloud.package}:`));
}

/** The args of a record at each DNS provider. */
export interface DnsRecords {
  readonly route53: DnsRecordArgs;
  readonly digitalocean: DnsRecordArgs;
  readonly dnsimple: DnsimpleDnsRecordArgs;
}

type CreateRecord<Args> = (name: string, args: Args) => Promise<pulumi.ComponentResource>;

/** All DNS providers. They create records in an existing zone. */
export const dnsProviders: { readonly [P in keyof DnsRecords]: CreateRecord<DnsRecords[P]> } = {
  route53: async (name, args) => new (await import("./aws/record.ts")).Route53DnsRecord(name, args),
  digitalocean: async (name, args) => new (await import("./digitalOcean/record.ts")).DigitalOceanDnsRecord(name, args),
  dnsimple: async (name, args) => new (await import("./dnsimple/record.ts")).DnsimpleDnsRecord(name, args),
};

/**
 * Lets lego answer an authority's challenges at the provider of a zone.
 *
 * @param names The names of the certificate.
 */
export async function grantChallenges(
  name: string,
  challenge: DnsChallenge,
  names: pulumi.Input<readonly string[]>,
): Promise<ChallengeAccess> {
  const { zone, apiUrl } = challenge;
  switch (challenge.provider) {
    case "route53":
      return new (await import("./aws/challenges.ts")).Route53Challenges(name, { zone, apiUrl, names }).access;
    case "digitalocean":
      return { DO_AUTH_TOKEN: challenge.token, ...(apiUrl === undefined ? {} : { DO_API_URL: apiUrl }) };
    case "dnsimple":
      return { DNSIMPLE_OAUTH_TOKEN: challenge.token, ...(apiUrl === undefined ? {} : { DNSIMPLE_BASE_URL: apiUrl }) };
    default:
      return challenge satisfies never;
  }
}
