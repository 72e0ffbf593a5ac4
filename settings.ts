import { readFileSync } from "node:fs";

import * as pulumi from "@pulumi/pulumi";

import type { CertificateSource } from "./components/certificate";
import { validateBundle } from "./components/certificateBundle";
import type { User } from "./components/credentials";
import { type Engine, EngineNotFound, type EngineSettings, findEngine } from "./components/hosts/engine";
import { checkEngine } from "./components/hosts/engineCheck";
import { connectTo } from "./components/hosts/engineClient";
import { publishedOn } from "./components/reverseProxy";
import { nearest, type Problem, SettingsError } from "./problems";

/** Where the registry runs. A change of target starts an empty registry elsewhere; nothing is moved. */
export interface HostSettings {
  readonly target: "local";
  readonly engine: Engine;
  /** An absolute folder of the engine's machine. Default: a named volume. */
  readonly dataPath?: string | undefined;
}

/** A registry, described: valid, complete, with secrets wrapped as Outputs. */
export interface Settings {
  readonly host: HostSettings;
  readonly hostname?: string | undefined;
  readonly port: number;
  readonly images: { readonly registry: string; readonly proxy: string };
  readonly users: readonly User[];
  readonly certificate: CertificateSource;
}

/** The settings of a stack as Pulumi hands them over: text by key, without the project's name. Secrets are in clear. */
export type RawSettings = Readonly<Record<string, string>>;

/**
 * The settings that Pulumi.yaml declares have their defaults there. These two can't be declared, as they hold objects
 * and optional secrets; documented alike:
 *
 * `users` (list; default one user `admin` with a generated password): who may use the registry. Each has a `name` and,
 * optionally, a secret `password` of 1 to 72 bytes.
 *
 * `certificate` (object; default `mode: selfSigned`): `mode: provided` takes the bundle (PEM, the server's certificate
 * first, then its issuers) from `bundleFile` or `bundle`, the private key from `keyFile` or the secret `key`.
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
  "users",
  "certificate",
] as const;

type Key = (typeof keys)[number];

/**
 * Reads the settings of the stack and asks the engine whether it can do what they want.
 *
 * @throws SettingsError with every problem at once, before any resource exists. A preview does without an engine.
 */
export async function loadSettings(): Promise<Settings> {
  const stack = pulumi.getStack();
  const prefix = `${pulumi.getProject()}:`;
  const own = Object.entries(pulumi.runtime.allConfig()).filter(([key]) => key.startsWith(prefix));
  const { settings, problems } = parseSettings(
    Object.fromEntries(own.map(([key, value]) => [key.slice(prefix.length), value])),
  );

  const report = await askEngine(settings, `${pulumi.getProject()}-${stack}-proxy`);
  if (!report.reachable && pulumi.runtime.isDryRun()) {
    for (const { wrong } of report.problems)
      void pulumi.log.warn(`${wrong}. A preview does without it, an update won't.`);
  } else {
    problems.push(...report.problems);
  }
  if (problems.length > 0) throw new SettingsError(stack, problems);
  return settings as Settings;
}

/** What could be understood: complete when there are no problems. */
type Parsed = { readonly [K in keyof Settings]?: Settings[K] | undefined };

/** Checks the settings by themselves, with what files they name. Reports every problem, not the first. */
export function parseSettings(
  raw: RawSettings,
  environment: { env: NodeJS.ProcessEnv; home?: string; now: Date } = { env: process.env, now: new Date() },
): { settings: Parsed; problems: Problem[] } {
  const problems = new Problems();
  for (const key of Object.keys(raw)) problems.addUnknownKey("", key, keys);

  const text = (key: Key) => raw[key] ?? "";
  const target = parseTarget(text("target"), problems);
  const engine = problems.collect(() => findEngine(engineSettings(raw), environment.env, environment.home));
  const hostname = parseHostname(text("hostname"), problems);
  const settings = {
    host: target && engine && { target, engine, dataPath: parseDataPath(text("dataPath"), problems) },
    hostname,
    port: parsePort(text("port"), problems),
    images: {
      registry: parseImage("registryImage", text("registryImage"), problems),
      proxy: parseImage("proxyImage", text("proxyImage"), problems),
    },
    users: parseUsers(raw["users"], problems),
    certificate: parseCertificate(raw["certificate"], hostname ?? engine?.address, environment.now, problems),
  };
  return { settings, problems: problems.all };
}

function engineSettings(raw: RawSettings): EngineSettings {
  const { dockerHost = "", dockerContext = "", dockerMachine = "" } = raw;
  return { dockerHost, dockerContext, dockerMachine };
}

/** The engine is asked even when other settings are wrong, so that its problems are told with theirs. */
async function askEngine({ host, hostname, port, images }: Parsed, proxyName: string) {
  if (host === undefined) return { reachable: true, problems: [] };
  return checkEngine(host.engine, connectTo(host.engine), {
    engineSetting: host.engine.setting,
    port: port ?? 0,
    publishedOn: publishedOn(hostname ?? host.engine.address),
    proxyName,
    images: { registryImage: images?.registry ?? "", proxyImage: images?.proxy ?? "" },
  });
}

class Problems {
  readonly all: Problem[] = [];

  add(setting: string, wrong: string, cure: string): undefined {
    this.all.push({ setting, wrong, cure });
  }

  addUnknownKey(parent: string, key: string, known: readonly string[]): void {
    if (known.includes(key)) return;
    const path = parent + key;
    const near = nearest(key, known);
    const cure = `${near === undefined ? `known here: ${known.join(", ")}` : `did you mean ${parent}${near}?`} To remove it: ${configCommand("rm", path)}`;
    this.add(path, "there is no such setting", cure);
  }

  collect(find: () => Engine): Engine | undefined {
    try {
      return find();
    } catch (error) {
      if (!(error instanceof EngineNotFound)) throw error;
      return this.add(error.setting, error.message, error.cure);
    }
  }
}

function configCommand(verb: "set" | "set --secret" | "rm", path: string, value = ""): string {
  const key = /[.[]/.test(path) ? `--path '${path}'` : path;
  return `pulumi config ${verb} ${key}${value === "" ? "" : ` ${value}`}`;
}

function parseTarget(text: string, problems: Problems): HostSettings["target"] | undefined {
  if (text === "local" || text === "") return "local";
  return problems.add("target", `"${text}" is not a target; there is: local`, configCommand("set", "target", "local"));
}

/** A DNS name as RFC 1123 has it, or an IPv4 address. */
function parseHostname(text: string, problems: Problems): string | undefined {
  if (text === "") return undefined;
  const name = text.toLowerCase();
  const labels = name.split(".");
  const isAddress = /^\d+$/.test(labels.at(-1) ?? "");
  const valid = isAddress
    ? labels.length === 4 && labels.every((label) => /^(0|[1-9]\d{0,2})$/.test(label) && Number(label) <= 255)
    : name.length <= 253 && labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label));
  if (valid) return name;
  return problems.add(
    "hostname",
    `${JSON.stringify(text)} is neither a DNS name nor an IPv4 address`,
    configCommand("set", "hostname", "registry.example.com"),
  );
}

function parsePort(text: string, problems: Problems): number | undefined {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65535) return port;
  return problems.add(
    "port",
    `${JSON.stringify(text)} is not a whole number from 1 to 65535`,
    configCommand("set", "port", "5043"),
  );
}

function parseDataPath(text: string, problems: Problems): string | undefined {
  if (text === "") return undefined;
  // A colon would end the path in the engine's own notation.
  if (/^\/[^:]*[^/:]\/?$/.test(text) && !text.split("/").includes("..")) return text;
  return problems.add(
    "dataPath",
    `${JSON.stringify(text)} is not an absolute folder of the engine's machine`,
    `write it from the root, without ~, .. or a colon: ${configCommand("set", "dataPath", "/srv/registry")}`,
  );
}

/** `[host[:port]/]path:tag`, `…@sha256:digest` or both: exact, so that what runs tomorrow is what ran today. */
function parseImage(setting: Key, text: string, problems: Problems): string {
  const pattern =
    /^([\w.-]+(:\d+)?\/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:(?<tag>[\w][\w.-]{0,127}))?(@(?<digest>sha256:[0-9a-f]{64}))?$/;
  const parts = pattern.exec(text)?.groups;
  const cure = configCommand("set", setting, setting === "proxyImage" ? "nginx:1.30.6-alpine" : "registry:3.1.1");
  if (parts === undefined) problems.add(setting, `${JSON.stringify(text)} is not an image reference`, cure);
  else if (parts["digest"] === undefined && (parts["tag"] ?? "latest") === "latest") {
    problems.add(setting, `"${text}" names no exact version, so it would change by itself`, cure);
  }
  return text;
}

function parseUsers(json: string | undefined, problems: Problems): User[] {
  const list = json === undefined ? [{ name: "admin" }] : readJson(json);
  if (!Array.isArray(list) || list.length === 0) {
    problems.add("users", "is not a list of at least one user", configCommand("set", "users[0].name", "admin"));
    return [];
  }
  const users = list.map((entry: unknown, i) => parseUser(entry, `users[${String(i)}]`, problems));
  for (const [i, { name }] of users.entries()) {
    const first = users.findIndex((user) => user.name === name);
    if (first < i && name !== "") {
      const path = `users[${String(i)}]`;
      problems.add(
        `${path}.name`,
        `"${name}" is the name of users[${String(first)}] already`,
        configCommand("rm", path),
      );
    }
  }
  return users;
}

function parseUser(entry: unknown, path: string, problems: Problems): User {
  if (!isRecord(entry)) {
    problems.add(path, "is not an object with a name", configCommand("set", `${path}.name`, "NAME"));
    return { name: "" };
  }
  for (const key of Object.keys(entry)) problems.addUnknownKey(`${path}.`, key, ["name", "password"]);
  const name = parseUserName(entry["name"], `${path}.name`, problems);
  return "password" in entry
    ? { name, password: parsePassword(entry["password"], `${path}.password`, problems) }
    : { name };
}

function parseUserName(value: unknown, path: string, problems: Problems): string {
  const name = typeof value === "string" ? value : "";
  const cure = configCommand("set", path, "NAME");
  if (name === "") problems.add(path, "is missing or not a text", cure);
  else if (hasControlCharacter(name)) problems.add(path, `${JSON.stringify(name)} has a control character`, cure);
  else if (name.includes(":"))
    problems.add(path, `"${name}" has a colon, which ends the name in HTTP's basic authentication`, cure);
  else if (name.startsWith("#"))
    problems.add(path, `"${name}" begins with #, which makes its line in the password file a comment`, cure);
  else if (Buffer.byteLength(name) > 255) problems.add(path, "is longer than 255 bytes", cure);
  return name;
}

/** Never quoted in a problem: it is a secret. */
function parsePassword(value: unknown, path: string, problems: Problems): pulumi.Output<string> {
  // Pulumi reads a number out of unquoted digits.
  const password = typeof value === "number" ? String(value) : value;
  const cure = configCommand("set --secret", path);
  if (typeof password !== "string" || password === "") {
    problems.add(
      path,
      "is empty or not a text",
      `${cure}, or leave it out to have one generated: ${configCommand("rm", path)}`,
    );
  } else if (hasControlCharacter(password)) {
    problems.add(path, "has a control character, which HTTP's basic authentication can't carry", cure);
  } else if (Buffer.byteLength(password) > 72) {
    problems.add(path, `has ${String(Buffer.byteLength(password))} bytes; bcrypt reads the first 72 only`, cure);
  }
  return pulumi.secret(String(password));
}

function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

const certificateKeys = {
  selfSigned: ["mode"],
  provided: ["mode", "bundle", "bundleFile", "key", "keyFile"],
} as const;

function parseCertificate(
  json: string | undefined,
  hostname: string | undefined,
  now: Date,
  problems: Problems,
): CertificateSource | undefined {
  const value = json === undefined ? { mode: "selfSigned" } : readJson(json);
  const mode = isRecord(value) ? value["mode"] : undefined;
  if (!isRecord(value) || (mode !== "selfSigned" && mode !== "provided")) {
    return problems.add(
      "certificate.mode",
      `${mode === undefined ? "nothing" : JSON.stringify(mode)} is not a mode; there are: selfSigned, provided`,
      configCommand("set", "certificate.mode", "selfSigned"),
    );
  }
  for (const key of Object.keys(value)) problems.addUnknownKey("certificate.", key, certificateKeys[mode]);
  if (mode === "selfSigned") return { mode };

  const bundle = parsePem(value, "bundle", problems);
  const key = parsePem(value, "key", problems);
  if (bundle === undefined || key === undefined) return undefined;
  for (const { about, wrong } of validateBundle(bundle.pem, key.pem, hostname ?? "", now)) {
    switch (about) {
      case "bundle":
        problems.add(bundle.path, wrong, configCommand("set", "certificate.bundleFile", "CHAIN.pem"));
        break;
      case "key":
        problems.add(key.path, wrong, configCommand("set", "certificate.keyFile", "SERVER.key"));
        break;
      case "hostname":
        problems.add("hostname", wrong, configCommand("set", "hostname", "NAME"));
        break;
      default:
        about satisfies never;
    }
  }
  return { mode, bundle: bundle.pem, key: pulumi.secret(key.pem) };
}

/** PEM given as a setting of its own or in a file; one of the two. */
function parsePem(
  certificate: Record<string, unknown>,
  name: "bundle" | "key",
  problems: Problems,
): { path: string; pem: string } | undefined {
  const inline = certificate[name];
  const file = certificate[`${name}File`];
  const path = `certificate.${name}${file === undefined ? "" : "File"}`;
  const cure = configCommand("set", `certificate.${name}File`, name === "key" ? "SERVER.key" : "CHAIN.pem");
  if ((inline === undefined) === (file === undefined)) {
    return problems.add(`certificate.${name}`, `give one of ${name} and ${name}File`, cure);
  }
  if (file === undefined)
    return typeof inline === "string" ? { path, pem: inline } : problems.add(path, "is not a text", cure);
  if (typeof file !== "string") return problems.add(path, "is not the path of a file", cure);
  try {
    return { path, pem: readFileSync(file, "utf8") };
  } catch (error) {
    return problems.add(path, `can't be read: ${error instanceof Error ? error.message : String(error)}`, cure);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
