import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** A Docker engine: where it answers, and what proves who asks. */
export interface Engine {
  /** `unix:///var/run/docker.sock`, `tcp://192.168.99.100:2376`, `ssh://deploy@host`. */
  readonly host: string;
  /** The folder with ca.pem, cert.pem and key.pem. Default: none; needed for every `tcp://` that isn't loopback. */
  readonly certPath?: string | undefined;
  /** What clients call the machine: a DNS name or an IPv4 address; `localhost` for the local socket. */
  readonly address: string;
  /** What named this engine, as a person would say it: "docker-machine dev1", "DOCKER_HOST", "the local socket". */
  readonly foundBy: string;
  /** The setting that names it, or would name another. */
  readonly setting: keyof EngineSettings | "host.address";
  /** What `ssh` is told beside the address, an option a word. Default: nothing, and it asks the user's own settings. */
  readonly sshOptions?: readonly string[] | undefined;
}

/** The three settings that can name an engine; empty when not set. */
export interface EngineSettings {
  readonly dockerHost: string;
  readonly dockerContext: string;
  readonly dockerMachine: string;
}

/** Why no engine could be named: the setting at fault, what is wrong with it, and the cure. */
export class EngineNotFound extends Error {
  readonly setting: keyof EngineSettings;
  readonly cure: string;

  constructor(setting: keyof EngineSettings, message: string, cure: string) {
    super(message);
    this.setting = setting;
    this.cure = cure;
  }
}

/**
 * Says which engine is meant, without asking it: an explicit host, a Docker context by name, a docker-machine by name,
 * DOCKER_HOST, the local socket; the first that is set.
 *
 * @param env The environment of the user: DOCKER_HOST, DOCKER_CERT_PATH, DOCKER_CONFIG, MACHINE_STORAGE_PATH, XDG_RUNTIME_DIR.
 * @throws EngineNotFound when the setting names nothing that is there.
 */
export function findEngine(settings: EngineSettings, env: NodeJS.ProcessEnv = process.env, home = homedir()): Engine {
  const { dockerHost, dockerContext, dockerMachine } = settings;
  if (dockerHost !== "") return engineAt(dockerHost, env["DOCKER_CERT_PATH"], `dockerHost ${dockerHost}`);
  if (dockerContext !== "") return engineOfContext(dockerContext, env["DOCKER_CONFIG"] ?? join(home, ".docker"));
  if (dockerMachine !== "") {
    return engineOfMachine(dockerMachine, env["MACHINE_STORAGE_PATH"] ?? join(home, ".docker", "machine"));
  }
  const fromEnv = env["DOCKER_HOST"];
  if (fromEnv) return engineAt(fromEnv, env["DOCKER_CERT_PATH"], "DOCKER_HOST");
  return localEngine(env, home);
}

function engineAt(
  host: string,
  certPath: string | undefined,
  foundBy: string,
  setting: keyof EngineSettings = "dockerHost",
): Engine {
  if (host.startsWith("unix://")) return { host, address: "localhost", foundBy, setting };
  const url = URL.canParse(host) ? new URL(host) : undefined;
  if (url?.protocol === "ssh:" && url.hostname !== "") return { host, address: url.hostname, foundBy, setting };
  if (url?.protocol === "tcp:" && url.hostname !== "" && url.port !== "") {
    const engine = { host, address: url.hostname, foundBy, setting };
    if (certPath) return { ...engine, certPath };
    if (/^(localhost|127\..*)$/.test(url.hostname)) return engine;
    throw new EngineNotFound(
      setting,
      `${foundBy} speaks without TLS to another machine, which would hand it your keys and passwords in clear`,
      "set DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem, or use ssh://user@host",
    );
  }
  throw new EngineNotFound(
    setting,
    `"${host}" is not the address of a Docker engine`,
    "write unix:///path/to/docker.sock, tcp://host:2376 or ssh://user@host",
  );
}

/** `docker context` keeps each context in a folder named by the SHA-256 of its name. */
function engineOfContext(name: string, dockerConfig: string): Engine {
  const folder = createHash("sha256").update(name).digest("hex");
  const meta = readJson(join(dockerConfig, "contexts", "meta", folder, "meta.json")) as
    { Endpoints?: { docker?: { Host?: string } } } | undefined;
  const host = meta?.Endpoints?.docker?.Host;
  if (!host) {
    throw new EngineNotFound(
      "dockerContext",
      `there is no Docker context "${name}"`,
      "docker context ls shows those there are",
    );
  }
  const certPath = join(dockerConfig, "contexts", "tls", folder, "docker");
  return engineAt(host, existsSync(certPath) ? certPath : undefined, `Docker context ${name}`, "dockerContext");
}

/** docker-machine keeps each machine in a folder of its name, with the client's certificate in it. */
function engineOfMachine(name: string, storagePath: string): Engine {
  const folder = join(storagePath, "machines", name);
  const config = readJson(join(folder, "config.json")) as
    { Driver?: { IPAddress?: string; EnginePort?: number } } | undefined;
  if (config === undefined) {
    throw new EngineNotFound(
      "dockerMachine",
      `there is no docker-machine "${name}" in ${storagePath}`,
      "docker-machine ls shows those there are",
    );
  }
  const address = config.Driver?.IPAddress;
  if (!address) {
    throw new EngineNotFound(
      "dockerMachine",
      `docker-machine "${name}" has no address`,
      `docker-machine start ${name}`,
    );
  }
  const host = `tcp://${address}:${String(config.Driver?.EnginePort ?? 2376)}`;
  return { host, certPath: folder, address, foundBy: `docker-machine ${name}`, setting: "dockerMachine" };
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** The system's socket, Docker Desktop's, or that of a rootless engine: the first that is there. */
function localEngine(env: NodeJS.ProcessEnv, home: string): Engine {
  const system = "/var/run/docker.sock";
  const runtimeDir = env["XDG_RUNTIME_DIR"];
  const sockets = [
    system,
    join(home, ".docker", "run", "docker.sock"),
    ...(runtimeDir ? [join(runtimeDir, "docker.sock")] : []),
  ];
  const socket = sockets.find((path) => existsSync(path)) ?? system;
  return { host: `unix://${socket}`, address: "localhost", foundBy: "the local socket", setting: "dockerHost" };
}
