import * as pulumi from "@pulumi/pulumi";
import type * as z from "zod/mini";

import type { AcmeSource } from "../components/certificate/acme/acme.ts";
import type { Challenge } from "../components/certificate/acme/challenge.ts";
import { parseCertificates, parseOr } from "../components/certificate/chain.ts";
import { configCommand } from "../components/commands.ts";
import type { Problems } from "./problems.ts";
import type { settings } from "./schema.ts";
import type { Some } from "./shape.ts";

/** The authorities that have a name of their own in the settings. */
export const servers: Readonly<Record<string, string>> = {
  letsencrypt: "https://acme-v02.api.letsencrypt.org/directory",
  staging: "https://acme-staging-v02.api.letsencrypt.org/directory",
};

type Certificate = NonNullable<Some<z.output<typeof settings>>["certificate"]>;
type Given = Extract<Certificate, { readonly mode?: "acme" | undefined }>;

/** @param zone That of the setting `dns`, if there is one. */
export function readAcme(given: Given, zone: string | undefined, problems: Problems): AcmeSource | undefined {
  const { server, keyType, eab, names = [], email, authority, profile } = given;
  if (authority !== undefined && !parseOr(() => parseCertificates(authority))?.length)
    problems.add(
      "certificate.authority",
      "holds no readable certificate",
      "pulumi config set --path certificate.authority < ROOT.pem",
    );
  const challenge = readChallenge(given, zone, problems);
  if (server === undefined || keyType === undefined || challenge === undefined) return undefined;
  if (eab !== undefined && (eab.kid === undefined || eab.hmac === undefined)) return undefined;
  return {
    mode: "acme",
    server: servers[server] ?? server,
    ...{ challenge, keyType, email, authority, profile },
    names: names.filter((name) => name !== undefined).map((name) => name.toLowerCase()),
    eab: eab && { kid: eab.kid ?? "", hmac: pulumi.secret(eab.hmac ?? "") },
  };
}

function readChallenge(given: Given, zoneOfDns: string | undefined, problems: Problems): Challenge | undefined {
  const { dns, httpPort } = given;
  if (dns === undefined && problems.has("certificate.dns")) return undefined;
  if (dns === undefined) return httpPort === undefined ? undefined : { type: "http-01", port: httpPort };
  const zone = (dns.zone ?? zoneOfDns)?.toLowerCase().replace(/\.$/, "");
  if (zone === undefined)
    return problems.add(
      "certificate.dns.zone",
      "is not set",
      configCommand("set", "certificate.dns.zone", "example.com"),
    );
  const { apiUrl, resolvers = [] } = dns;
  if (apiUrl?.startsWith("http:") === true)
    problems.warn(
      "certificate.dns.apiUrl",
      "is without TLS: who listens on the way can change the zone",
      configCommand("set", "certificate.dns.apiUrl", apiUrl.replace("http:", "https:")),
    );
  const common = {
    ...({ type: "dns-01", zone } as const),
    apiUrl: apiUrl?.replace(/\/$/, ""),
    resolvers: resolvers.filter((server) => server !== undefined),
  };
  switch (dns.provider) {
    case undefined:
      return undefined;
    case "route53":
      return { ...common, provider: dns.provider };
    case "digitalocean":
    case "dnsimple":
      return dns.token === undefined
        ? undefined
        : { ...common, provider: dns.provider, token: pulumi.secret(dns.token) };
    default:
      return dns satisfies never;
  }
}
