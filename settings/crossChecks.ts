import { isIP } from "node:net";

import type { Challenge } from "../components/certificate/acme/challenge.ts";
import { type CertificateSource, challengePortOf } from "../components/certificate/certificate.ts";
import { configCommand } from "../components/commands.ts";
import { isInZone } from "../components/dnsRecord.ts";
import { isLoopback } from "../components/endpoint.ts";
import type { Engine } from "../components/hosts/engine.ts";
import type { Environment } from "./environment.ts";
import { engineOf } from "./host.ts";
import type { Problems } from "./problems.ts";
import { isHostname } from "./scalars.ts";
import type { Parsed } from "./settings.ts";

/** Checks settings against each other, after each has been checked alone. */
export function crossCheck(settings: Parsed, environment: Environment, problems: Problems): void {
  const engine = engineOf(settings.host);
  if (settings.hostname === undefined && engine !== undefined) checkAddress(engine, problems);
  checkName(settings, problems);
  checkClouds(settings, environment, problems);
  checkSshPort(settings, problems);
  checkAcme(settings, problems);
}

/** Without a hostname clients type the engine's address, so that must be a hostname: no SSH alias, no IPv6 address. */
function checkAddress({ address, foundBy }: Engine, problems: Problems): void {
  if (isHostname(address)) return;
  problems.add(
    "hostname",
    `is not set, and the engine's address ${JSON.stringify(address)} (${foundBy}) is neither a DNS name nor an IPv4 address`,
    configCommand("set", "hostname", "registry.example.com"),
  );
}

/** Clients reach a machine in a cloud from other machines only, and its address is unknown until it is created. */
function checkName({ host, hostname, certificate }: Parsed, problems: Problems): void {
  if (host === undefined || "engine" in host) return;
  const cure = configCommand("set", "hostname", "registry.example.com");
  if (hostname === undefined && certificate?.mode === "provided")
    problems.add("hostname", "is not set: a provided certificate needs the name that it is for", cure);
  if (hostname !== undefined && isLoopback(hostname))
    problems.add("hostname", `"${hostname}" points each client at itself, not at a machine in a cloud`, cure);
}

/** An authority must be able to see that a name is the stack's. */
function checkAcme({ host, hostname, port, anonymous, certificate }: Parsed, problems: Problems): void {
  if (certificate?.mode !== "acme" || host === undefined) return;
  const { challenge } = certificate;
  const engine = engineOf(host);
  const name = hostname ?? engine?.address;
  const example = `registry.${challenge.type === "dns-01" ? challenge.zone : "example.com"}`;
  const wrongName = name === undefined ? wrongAddress(challenge) : wrongFor(challenge, name, engine !== undefined);
  if (wrongName !== undefined)
    problems.add(
      "hostname",
      `${hostname === undefined ? "is not set, and " : ""}${wrongName}`,
      configCommand("set", "hostname", example),
    );
  certificate.names.forEach((more, i) => {
    const path = `certificate.names[${String(i)}]`;
    const wrong = wrongFor(challenge, more, true);
    if (wrong !== undefined) problems.add(path, wrong, configCommand("set", path, example));
  });
  const challengePort = challengePortOf(certificate);
  for (const [setting, taken] of Object.entries({ port, "anonymous.port": anonymous?.port }))
    if (challengePort !== undefined && taken === challengePort)
      problems.add(
        "certificate.httpPort",
        `${String(taken)} is also ${setting}, where clients speak TLS`,
        configCommand("set", "certificate.httpPort", "80"),
      );
}

/**
 * Why a name can't be in the certificate; undefined if it can.
 *
 * @param isName Whether it must be a DNS name. A machine in a cloud has a public address, which may be in the
 * certificate; of an engine's machine that is unknown.
 */
function wrongFor(challenge: Challenge, name: string, isName: boolean): string | undefined {
  if (isLoopback(name) || (isName && isIP(name) !== 0))
    return `"${name}" is no name for which an authority issues a certificate here: a DNS name is needed`;
  if (challenge.type === "http-01")
    return name.startsWith("*.") ? `"${name}" is a wildcard, which needs certificate.dns` : undefined;
  if (isIP(name) !== 0) return wrongAddress(challenge);
  const { zone } = challenge;
  return isInZone(name.replace(/^\*\./, ""), zone)
    ? undefined
    : `"${name}" is not in the zone "${zone}" of certificate.dns`;
}

/** Why an address can't be in the certificate; undefined if it can. */
function wrongAddress({ type }: Challenge): string | undefined {
  return type === "dns-01" ? "an address has no record: certificate.dns needs a DNS name" : undefined;
}

/** On a machine in a cloud, SSH uses port 22. */
function checkSshPort({ host, port, anonymous, certificate }: Parsed, problems: Problems): void {
  if (host === undefined || "engine" in host) return;
  const all = {
    port,
    "anonymous.port": anonymous?.port,
    "certificate.httpPort": challengePortOf(certificate),
  };
  for (const [setting, number] of Object.entries(all))
    if (number === 22)
      problems.add(setting, "port 22 is used by SSH on the machine", configCommand("set", setting, "443"));
}

/** Checks for provider credentials and regions whose absence would otherwise fail in the middle of an update. */
function checkClouds(
  { host, dns, certificate }: Parsed,
  { env, providers = {} }: Environment,
  problems: Problems,
): void {
  const isSet = (key: string, ...variables: string[]) =>
    (providers[key] ?? "") !== "" || variables.some((variable) => (env[variable] ?? "") !== "");
  const clouds = [host?.target, dns?.provider];
  if (
    clouds.includes("digitalocean") &&
    !isSet("digitalocean:token", "DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN")
  )
    problems.add(
      "digitalocean:token",
      "is not set: an API token is needed",
      configCommand("set --secret", "digitalocean:token"),
    );
  if (
    (clouds.some((cloud) => cloud === "aws" || cloud === "route53") || isAnsweredInRoute53(certificate)) &&
    !isSet("aws:region", "AWS_REGION", "AWS_DEFAULT_REGION")
  )
    problems.add("aws:region", "is not set: a region is needed", configCommand("set", "aws:region", "eu-central-1"));
}

/** Whether the stack makes a user of AWS. */
function isAnsweredInRoute53(certificate: CertificateSource | undefined): boolean {
  if (certificate?.mode !== "acme") return false;
  return certificate.challenge.type === "dns-01" && certificate.challenge.provider === "route53";
}
