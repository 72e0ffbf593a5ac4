import { configCommand } from "../components/commands.ts";
import { isLoopback } from "../components/endpoint.ts";
import type { Engine } from "../components/hosts/engine.ts";
import type { Environment } from "./environment.ts";
import { engineOf } from "./host.ts";
import type { Parsed } from "./index.ts";
import type { Problems } from "./problems.ts";
import { isHostname } from "./scalars.ts";

/** What settings that are right by themselves mean for each other. */
export function crossCheck(settings: Parsed, environment: Environment, problems: Problems): void {
  const engine = engineOf(settings.host);
  if (settings.hostname === undefined && engine !== undefined) checkAddress(engine, problems);
  checkName(settings, problems);
  checkClouds(settings, environment, problems);
  checkSshPort(settings, problems);
}

/** What clients type where no hostname is set must be one as well: an SSH alias or an IPv6 address is none. */
function checkAddress({ address, foundBy }: Engine, problems: Problems): void {
  if (isHostname(address)) return;
  problems.add(
    "hostname",
    `is not set, and ${JSON.stringify(address)}, where the engine is (${foundBy}), is neither a DNS name nor an IPv4 address`,
    configCommand("set", "hostname", "registry.example.com"),
  );
}

/** A machine in a cloud is reached by others only, and its address is not known before it is made. */
function checkName({ host, hostname, certificate }: Parsed, problems: Problems): void {
  if (host === undefined || "engine" in host) return;
  const cure = configCommand("set", "hostname", "registry.example.com");
  if (hostname === undefined && certificate?.mode === "provided")
    problems.add("hostname", "is not set: the name that the certificate is for is needed", cure);
  if (hostname !== undefined && isLoopback(hostname))
    problems.add("hostname", `"${hostname}" leads each client to itself, not to a machine in a cloud`, cure);
}

/** A machine that is made for a registry is signed in to at port 22. */
function checkSshPort({ host, port, anonymous }: Parsed, problems: Problems): void {
  if (host === undefined || "engine" in host) return;
  for (const [setting, number] of Object.entries({ port, "anonymous.port": anonymous?.port }))
    if (number === 22)
      problems.add(setting, "port 22 is the machine's own, for SSH", configCommand("set", setting, "443"));
}

/** What the clouds' own providers would miss only when the first resource is under way. */
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
