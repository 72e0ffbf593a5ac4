import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** A Docker engine: its address, and the client's credentials for it. */
export interface Engine {
  /** `unix:///var/run/docker.sock`, `tcp://192.168.99.100:2376`, `ssh://deploy@host`. */
  readonly host: string;
  /** The folder with ca.pem, cert.pem and key.pem. Default: none. Required for every `tcp://` but loopback. */
  readonly certPath?: string | undefined;
  /** The machine's address for clients: a DNS name or an IPv4 address; `localhost` for the local socket. */
  readonly address: string;
  /** Where the address comes from, in words: "docker-machine dev1", "DOCKER_HOST", "the local socket". */
  readonly foundBy: string;
  /** The setting that names this engine, or that would select another one. */
  readonly setting: keyof EngineSettings | "host.address";
  /** Extra arguments for `ssh`, one per element. Default: none; `ssh` uses the user's own configuration. */
  readonly sshOptions?: readonly string[] | undefined;
}

/** The three settings that can name an engine; empty if not set. */
export interface EngineSettings {
  readonly dockerHost: string;
  readonly dockerContext: string;
  readonly dockerMachine: string;
}

/** No engine could be found: the setting at fault, what is wrong with it, and the cure. */
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
 * Determines the engine without connecting to it. The first that is set of: an explicit host, a Docker context, a
 * docker-machine, DOCKER_HOST, the local socket.
 *
 * @param env The user's DOCKER_HOST, DOCKER_CERT_PATH, DOCKER_CONFIG, MACHINE_STORAGE_PATH and XDG_RUNTIME_DIR.
 * @throws EngineNotFound if the setting names an engine that doesn't exist.
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
      `${foundBy} connects to another machine without TLS, which would send your keys and passwords in clear text`,
      "set DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem, or use ssh://user@host",
    );
  }
  throw new EngineNotFound(
    setting,
    `"${host}" is not the address of a Docker engine`,
    "write unix:///path/to/docker.sock, tcp://host:2376 or ssh://user@host",
  );
}

/** `docker context` stores each context in a folder named after the SHA-256 of its name. */
function engineOfContext(name: string, dockerConfig: string): Engine {
  const folder = createHash("sha256").update(name).digest("hex");
  const meta = readJson(join(dockerConfig, "contexts", "meta", folder, "meta.json")) as
    { Endpoints?: { docker?: { Host?: string } } } | undefined;
  const host = meta?.Endpoints?.docker?.Host;
  if (!host) {
    throw new EngineNotFound(
      "dockerContext",
      `there is no Docker context "${name}"`,
      "docker context ls lists the contexts",
    );
  }
  const certPath = join(dockerConfig, "contexts", "tls", folder, "docker");
  return engineAt(host, existsSync(certPath) ? certPath : undefined, `Docker context ${name}`, "dockerContext");
}

/** docker-machine stores each machine in a folder of its name, with the client's certificate. */
function engineOfMachine(name: string, storagePath: string): Engine {
  const folder = join(storagePath, "machines", name);
  const config = readJson(join(folder, "config.json")) as
    { Driver?: { IPAddress?: string; EnginePort?: number } } | undefined;
  if (config === undefined) {
    throw new EngineNotFound(
      "dockerMachine",
      `there is no docker-machine "${name}" in ${storagePath}`,
      "docker-machine ls lists the machines",
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

/** The first socket that exists of the system's engine, Docker Desktop and a rootless engine. */
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
