import { isIP } from "node:net";

import { configCommand } from "../components/commands.ts";
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

/** An authority asks at the hostname from outside, without TLS. */
function checkAcme({ host, hostname, port, anonymous, certificate }: Parsed, problems: Problems): void {
  if (certificate?.mode !== "acme" || host === undefined) return;
  if (host.target === "ssh") {
    const setSelfSigned = configCommand("set", "certificate.mode", "selfSigned");
    problems.add("certificate.mode", `"acme" is not available for the target ${host.target} yet`, setSelfSigned);
    return;
  }
  const setName = configCommand("set", "hostname", "registry.example.com");
  const engine = engineOf(host);
  const name = hostname ?? engine?.address ?? "";
  // A machine in a cloud has a public address, which may be in the certificate. Of an engine's machine that is unknown.
  if (engine !== undefined && !canBeIssued(name))
    problems.add("hostname", `${hostname === undefined ? "is not set, and " : ""}${notIssued(name)}`, setName);
  certificate.names.forEach((more, i) => {
    const path = `certificate.names[${String(i)}]`;
    if (!canBeIssued(more)) problems.add(path, notIssued(more), configCommand("set", path, "registry.example.net"));
  });
  for (const [setting, taken] of Object.entries({ port, "anonymous.port": anonymous?.port }))
    if (taken === certificate.httpPort)
      problems.add(
        "certificate.httpPort",
        `${String(taken)} is also ${setting}, where clients speak TLS`,
        configCommand("set", "certificate.httpPort", "80"),
      );
}

function canBeIssued(name: string): boolean {
  return !isLoopback(name) && isIP(name) === 0;
}

function notIssued(name: string): string {
  return `"${name}" is no name for which an authority issues a certificate here: a DNS name is needed`;
}

/** On a machine in a cloud, SSH uses port 22. */
function checkSshPort({ host, port, anonymous, certificate }: Parsed, problems: Problems): void {
  if (host === undefined || "engine" in host) return;
  const httpPort = certificate?.mode === "acme" ? certificate.httpPort : undefined;
  const all = { port, "anonymous.port": anonymous?.port, "certificate.httpPort": httpPort };
  for (const [setting, number] of Object.entries(all))
    if (number === 22)
      problems.add(setting, "port 22 is used by SSH on the machine", configCommand("set", setting, "443"));
}

/** Checks for provider credentials and regions whose absence would otherwise fail in the middle of an update. */
function checkClouds({ host, dns }: Parsed, { env, providers = {} }: Environment, problems: Problems): void {
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
    clouds.some((cloud) => cloud === "aws" || cloud === "route53") &&
    !isSet("aws:region", "AWS_REGION", "AWS_DEFAULT_REGION")
  )
    problems.add("aws:region", "is not set: a region is needed", configCommand("set", "aws:region", "eu-central-1"));
}
