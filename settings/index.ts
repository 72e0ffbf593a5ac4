import { existsSync, readFileSync } from "node:fs";

import * as pulumi from "@pulumi/pulumi";

import type { Rule } from "../components/access.ts";
import type { CertificateSource } from "../components/certificate/certificate.ts";
import { configCommand, inNewShell } from "../components/commands.ts";
import type { User } from "../components/credentials.ts";
import { isLoopback } from "../components/endpoint.ts";
import { type Engine, EngineNotFound, findEngine } from "../components/hosts/engine.ts";
import type { ProxyLimits } from "../components/proxy/nginx/nginxConf.ts";
import { type AnonymousPull, parseAnonymous, parsePort, parseRules } from "./access.ts";
import { parseCertificate } from "./certificate.ts";
import { clearSecrets } from "./clearSecrets.ts";
import { type Configuration, ownSettings, type RawSettings } from "./configuration.ts";
import { parseDataPath } from "./dataPath.ts";
import { type DnsSettings, parseDns } from "./dns.ts";
import { HostReader, type HostSettings, parseAws, parseDigitalOcean, parseSsh, type Target, targets } from "./host.ts";
import { nearest, needsShell, type Problem, Problems } from "./problems.ts";
import { parseUsers } from "./users.ts";

/** A registry, described: valid, complete, with secrets wrapped as Outputs. */
export interface Settings {
  readonly host: HostSettings;
  readonly hostname?: string | undefined;
  readonly port: number;
  readonly images: { readonly registry: string; readonly proxy: string };
  readonly users: readonly User[];
  readonly rules: readonly Rule[];
  readonly anonymous?: AnonymousPull | undefined;
  readonly deletion: boolean;
  readonly limits: ProxyLimits;
  readonly certificate: CertificateSource;
  /** Default: no record is made; an output says which one to make. */
  readonly dns?: DnsSettings | undefined;
}

/**
 * The settings that Pulumi.yaml declares have their defaults there. These can't be declared, as they hold objects
 * and optional secrets; documented alike:
 *
 * `users` (list; default one user `admin`, role `admin`, generated password): who may use the registry. Each has a
 * `name` and, optionally, a `role` (`reader`, `writer` or `admin`; default `writer`) and a secret `password` of 1 to 72
 * bytes.
 *
 * `rules` (list; default none): who may use the repositories under a `prefix`, by lists of user names: `pull`, `push`
 * or both.
 *
 * `anonymous` (object; default none): `prefixes` of the repositories that anybody may pull at the TCP port `port`.
 *
 * `certificate` (object; default `mode: selfSigned`): `mode: provided` takes the bundle (PEM, the server's certificate
 * first, then its issuers) from `bundleFile` or `bundle`, the private key from `keyFile` or the secret `key`.
 *
 * `host` (object; its keys by `target`, see docs/settings.md): the machine, where the target has one of its own.
 *
 * `dns` (object; default none): the `provider` (`route53`, `digitalocean` or `dnsimple`) that makes the record of
 * `hostname` in its `zone`, kept by resolvers for `ttl` seconds (default 300). dnsimple also takes `account`, the secret
 * `token` and `apiUrl`.
 */
const keys = [
  "target",
  "dockerHost",
  "dockerContext",
  "dockerMachine",
  "hostname",
  "port",
  "dataPath",
  "registryImage",
  "proxyImage",
  "deletion",
  "guessesPerMinute",
  "maxUploadSize",
  "users",
  "rules",
  "anonymous",
  "certificate",
  "host",
  "dns",
] as const;

type Key = (typeof keys)[number];

/** What was read of a stack's settings: complete where there are no problems. */
export interface Reading {
  readonly settings: Parsed;
  readonly problems: Problem[];
}

/** Reads the settings of the stack that runs. Warns of what is taken, though it is hardly meant. */
export function readSettings(): Reading {
  const stack = pulumi.getStack();
  const { settings, problems, warnings } = parseConfiguration(pulumi.getProject(), pulumi.runtime.allConfig());
  for (const warning of [...warnings, ...clearSecrets(pulumi.getProject(), readStackFile(stack))]) {
    const { setting, wrong, cure } = warning;
    const lines = [`${setting}: ${wrong}.`, cure, ...(needsShell(warning) ? [inNewShell(stack)] : [])];
    void pulumi.log.warn(lines.join("\n    "));
  }
  return { settings, problems };
}

/** Parses the settings of a stack in the light of all that it configures, secrets in clear, and of where it is run. */
export function parseConfiguration(project: string, configuration: Configuration, env = process.env) {
  return parseSettings(ownSettings(project, configuration), { env, providers: configuration, now: new Date() });
}

/** Of the folder that the program runs in; empty where the stack's configuration is kept elsewhere. */
function readStackFile(stack: string): string {
  const file = `Pulumi.${stack}.yaml`;
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** What could be understood. */
export type Parsed = { readonly [K in keyof Settings]?: Settings[K] | undefined };

/** What settings are read in the light of: where engines are named, what clouds ask for, the time that certificates end. */
interface Environment {
  readonly env: NodeJS.ProcessEnv;
  /** The settings of the clouds' own providers, `digitalocean:token`. Default: none. */
  readonly providers?: Configuration;
  /** Default: the user's. */
  readonly home?: string;
  readonly now: Date;
}

/** Checks the settings by themselves, with what files they name. Reports every problem, not the first. */
export function parseSettings(
  raw: RawSettings,
  environment: Environment = { env: process.env, now: new Date() },
): { settings: Parsed; problems: Problem[]; warnings: Problem[] } {
  const problems = new Problems();
  for (const key of Object.keys(raw)) problems.addUnknownKey("", key, keys);

  const text = (key: Key) => raw[key] ?? "";
  const host = parseHost(raw, environment, problems);
  const engine = engineOf(host);
  const hostname = parseHostname(text("hostname"), problems);
  if (text("hostname") === "" && engine !== undefined) checkAddress(engine, problems);
  const port = parsePort(text("port"), "port", 5043, problems);
  const users = parseUsers(raw["users"], problems);
  const settings = {
    host,
    hostname,
    port,
    images: {
      registry: parseImage("registryImage", text("registryImage"), problems),
      proxy: parseImage("proxyImage", text("proxyImage"), problems),
    },
    users,
    rules: parseRules(raw["rules"], users, problems),
    anonymous: parseAnonymous(raw["anonymous"], port, problems),
    deletion: parseDeletion(text("deletion"), problems),
    limits: {
      guessesPerMinute: parseGuesses(text("guessesPerMinute"), problems),
      maxUploadSize: parseSize(text("maxUploadSize"), problems),
    },
    certificate: parseCertificate(raw["certificate"], hostname ?? engine?.address, environment, problems),
    dns: parseDns(raw["dns"], hostname, engine?.address, problems),
  };
  checkName(settings, problems);
  checkClouds(settings, environment, problems);
  checkSshPort(settings, problems);
  return { settings, problems: problems.all, warnings: problems.warnings };
}

/** The engine that is there already; undefined where a machine is only to be made, or where its address is wrong. */
export function engineOf(host: HostSettings | undefined): Engine | undefined {
  return host !== undefined && "engine" in host && host.engine.address !== "" ? host.engine : undefined;
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

/** Settings that are about an engine that is there already have no meaning where a machine is made. */
function parseHost(raw: RawSettings, environment: Environment, problems: Problems): HostSettings | undefined {
  const target = parseTarget(raw["target"] ?? "", problems);
  if (target === undefined) return undefined;
  const refuse = (keys: readonly Key[]) => {
    for (const key of keys.filter((name) => (raw[name] ?? "") !== ""))
      problems.add(key, `has no meaning with the target ${target}`, configCommand("rm", key));
  };
  const host = new HostReader(target, raw["host"], problems);
  if (target !== "local") refuse(["dockerHost", "dockerContext", "dockerMachine"]);
  switch (target) {
    case "local": {
      const engine = parseEngine(raw, environment, problems);
      return engine && { target, engine, dataPath: parseDataPath(raw["dataPath"] ?? "", problems) };
    }
    case "ssh":
      return { target, ...parseSsh(host), dataPath: parseDataPath(raw["dataPath"] ?? "", problems) };
    case "digitalocean":
      refuse(["dataPath"]);
      return { target, ...parseDigitalOcean(host) };
    case "aws":
      refuse(["dataPath"]);
      return { target, ...parseAws(host) };
    default:
      return target satisfies never;
  }
}

function parseEngine(
  { dockerHost = "", dockerContext = "", dockerMachine = "" }: RawSettings,
  { env, home }: Environment,
  problems: Problems,
): Engine | undefined {
  try {
    return findEngine({ dockerHost, dockerContext, dockerMachine }, env, home);
  } catch (error) {
    if (!(error instanceof EngineNotFound)) throw error;
    return problems.add(error.setting, error.message, error.cure);
  }
}

function parseTarget(text: string, problems: Problems): Target | undefined {
  if (text === "") return "local";
  const target = targets.find((known) => known === text);
  const cure = configCommand("set", "target", nearest(text, targets) ?? "local");
  return target ?? problems.add("target", `"${text}" is not a target; there are: ${targets.join(", ")}`, cure);
}

function parseHostname(text: string, problems: Problems): string | undefined {
  if (text === "") return undefined;
  if (isHostname(text)) return text.toLowerCase();
  return problems.add(
    "hostname",
    `${JSON.stringify(text)} is neither a DNS name nor an IPv4 address`,
    configCommand("set", "hostname", "registry.example.com"),
  );
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

/** A DNS name as RFC 1123 has it, or an IPv4 address. */
function isHostname(text: string): boolean {
  const labels = text.split(".");
  return /^\d+$/.test(labels.at(-1) ?? "")
    ? labels.length === 4 && labels.every((label) => /^(0|[1-9]\d{0,2})$/.test(label) && Number(label) <= 255)
    : text.length <= 253 && labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(label));
}

/** `[host[:port]/]path:tag`, `…@sha256:digest` or both: exact, so that what runs tomorrow is what ran today. */
function parseImage(setting: Key, text: string, problems: Problems): string {
  const pattern =
    /^([\w.-]+(:\d+)?\/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:(?<tag>[\w][\w.-]{0,127}))?(@(?<digest>sha256:[0-9a-f]{64}))?$/;
  const parts = pattern.exec(text)?.groups;
  const cure = configCommand("set", setting, setting === "proxyImage" ? "nginx:1.30.6-alpine" : "registry:3.1.2");
  if (parts === undefined) problems.add(setting, `${JSON.stringify(text)} is not an image reference`, cure);
  else if (parts["digest"] === undefined && (parts["tag"] ?? "latest") === "latest") {
    problems.add(setting, `"${text}" names no exact version, so it would change by itself`, cure);
  }
  return text;
}

function parseDeletion(text: string, problems: Problems): boolean {
  if (text !== "true" && text !== "false") {
    problems.add(
      "deletion",
      `${JSON.stringify(text)} is neither true nor false`,
      configCommand("set", "deletion", "false"),
    );
  }
  return text === "true";
}

function parseGuesses(text: string, problems: Problems): number {
  const guesses = Number(text);
  if (!/^\d+$/.test(text) || guesses < 1 || guesses > 40) {
    const cure = configCommand("set", "guessesPerMinute", "30");
    problems.add("guessesPerMinute", `${JSON.stringify(text)} is not a whole number from 1 to 40`, cure);
  }
  return guesses;
}

/** As nginx writes sizes, up to a pebibyte, which it can still count. */
function parseSize(text: string, problems: Problems): string | undefined {
  if (text === "") return undefined;
  const [, digits = "", unit = ""] = /^([1-9]\d{0,9})([kmg])$/.exec(text) ?? [];
  if (Number(digits) * { k: 1, m: 1024, g: 1024 ** 2 }[unit as "k" | "m" | "g"] <= 1024 ** 4) return text;
  const wrong = `${JSON.stringify(text)} is not a size: a number and k, m or g for KiB, MiB or GiB, up to 1048576g`;
  return problems.add("maxUploadSize", wrong, configCommand("set", "maxUploadSize", "10g"));
}
