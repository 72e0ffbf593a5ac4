import type * as pulumi from "@pulumi/pulumi";

/** How an authority is shown that a name belongs to the stack. */
export type Challenge = HttpChallenge | DnsChallenge;

/** The authority asks the proxy, at each name. */
export interface HttpChallenge {
  readonly type: "http-01";
  /** The TCP port at which it asks, without TLS. A change replaces the proxy. */
  readonly port: number;
}

/** The authority looks for a TXT record of each name. It need not reach the registry. */
export type DnsChallenge = {
  readonly type: "dns-01";
  /** The zone that has all the names: `example.com`. */
  readonly zone: string;
  /** The URL of the provider's API. Default: the public one. */
  readonly apiUrl?: string | undefined;
  /** The DNS servers that must know a record before the authority is asked. Default: those of the zone. */
  readonly resolvers: readonly string[];
} & (
  | { readonly provider: "route53" }
  | { readonly provider: "digitalocean" | "dnsimple"; readonly token: pulumi.Output<string> }
);

/** Secret: what lego needs to write records at a provider, by the names of its environment variables. */
export type ChallengeAccess = Readonly<Record<string, pulumi.Input<string>>>;

/** The names of a certificate, without those that one of its wildcards covers: authorities refuse both together. */
export function certificateNames(hostname: string, names: readonly string[]): string[] {
  const all = [...new Set([hostname, ...names])];
  return all.filter((name) => name.startsWith("*.") || !all.includes(name.replace(/^[^.]+/, "*")));
}

/** The names of the TXT records at which an authority looks for its answers. */
export function challengeNames(names: readonly string[]): string[] {
  return [...new Set(names.map((name) => `_acme-challenge.${name.replace(/^\*\./, "")}`))];
}
