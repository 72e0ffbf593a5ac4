import { createServer } from "node:net";

import { configCommand } from "../components/commands.ts";
import type { Engine } from "../components/hosts/engine.ts";
import { messageOf } from "../components/userError.ts";
import type { Problem } from "../settings/problems.ts";
import type { EngineClient } from "./engineClient.ts";
import { isTaken, askListeners } from "./listeners.ts";

/** What the registry needs from an engine. */
export interface Wanted {
  /** The setting that named the engine. */
  readonly engineSetting: string;
  /** The TCP ports to publish, by the path of their setting, and the address to publish them on. */
  readonly ports: Readonly<Record<string, number>>;
  readonly publishedOn: "0.0.0.0" | "127.0.0.1";
  /** Our own proxy container, which may already use those ports. */
  readonly proxyName: string;
  /** Image references, by the name of their setting. */
  readonly images: Readonly<Record<string, string>>;
}

/** Docker 20.10, the oldest that this project is tested with. */
const oldest = { api: "1.41", release: "20.10" };

/** The result of the check. `reachable` is separate because a preview works without an engine. */
export interface EngineReport {
  readonly reachable: boolean;
  readonly problems: Problem[];
}

/** Checks, before anything is created, whether the engine meets the needs. Changes nothing there. */
export async function checkEngine(engine: Engine, client: EngineClient, wanted: Wanted): Promise<EngineReport> {
  const unusable = await versionProblem(engine, client, wanted);
  if (unusable !== undefined) return unusable;
  const problems = [
    ...(await portProblems(engine, client, wanted)),
    ...(await Promise.all(
      Object.entries(wanted.images).map(([setting, image]) => imageProblem(client, setting, image)),
    )),
  ];
  return { reachable: true, problems: problems.filter((problem) => problem !== undefined) };
}

async function versionProblem(engine: Engine, client: EngineClient, wanted: Wanted): Promise<EngineReport | undefined> {
  const setting = wanted.engineSetting;
  let api: string | undefined;
  try {
    const { status, body } = await client.get("/version");
    if (status !== 200) throw new Error(`it answered ${String(status)}: ${messageIn(body)}`);
    api = (body as { ApiVersion?: string }).ApiVersion;
  } catch (error) {
    const wrong = `no Docker engine answers at ${engine.host} (${engine.foundBy}): ${messageOf(error)}`;
    const cure =
      setting === "host.address"
        ? `check that it runs Docker, and that \`ssh ${engine.host}\` works with the host key in host.hostKey`
        : `start it, or name another: pulumi config set dockerHost unix:///path/to/docker.sock (or dockerContext, dockerMachine)`;
    return { reachable: false, problems: [{ setting, wrong, cure }] };
  }
  if (api === undefined || isOlder(api, oldest.api)) {
    const wrong = `the Docker engine at ${engine.host} is too old: its API is ${api ?? "unknown"}, ${oldest.api} is needed`;
    return { reachable: true, problems: [{ setting, wrong, cure: `upgrade it to Docker ${oldest.release} or later` }] };
  }
  return undefined;
}

function isOlder(version: string, than: string): boolean {
  const [a = [], b = []] = [version, than].map((text) => text.split(".").map(Number));
  return a[0] === b[0] ? (a[1] ?? 0) < (b[1] ?? 0) : (a[0] ?? 0) < (b[0] ?? 0);
}

interface RunningContainer {
  readonly Names: string[];
  readonly Ports: { readonly PublicPort?: number }[];
}

async function portProblems(engine: Engine, client: EngineClient, wanted: Wanted): Promise<(Problem | undefined)[]> {
  const { publishedOn, proxyName } = wanted;
  const containers = (await client.get("/containers/json")).body as RunningContainer[];
  const holderOf = (port: number) =>
    containers.find(({ Ports }) => Ports.some(({ PublicPort }) => PublicPort === port))?.Names[0]?.replace(/^\//, "");
  const ports = Object.entries(wanted.ports).filter(([, port]) => holderOf(port) !== proxyName);
  const listeners = ports.length > 0 && new URL(engine.host).protocol === "ssh:" ? await askListeners(engine) : [];
  const canHave = async (port: number) =>
    isLocal(engine) ? canListen(port, publishedOn) : !isTaken(listeners, port, publishedOn);
  return Promise.all(
    ports.map(async ([setting, port]) => {
      const holder = holderOf(port);
      if (holder === undefined && (await canHave(port))) return undefined;
      const by = holder === undefined ? "another program" : `container ${holder}`;
      return {
        setting,
        wrong: `port ${String(port)} of ${publishedOn} is taken by ${by}`,
        cure: `free it, or choose another: ${configCommand("set", setting, String(port === 65535 ? 5043 : port + 1))}`,
      };
    }),
  );
}

function isLocal(engine: Engine): boolean {
  return engine.host.startsWith("unix://");
}

function canListen(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    // The engine may use a privileged port, even if this process may not.
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "EADDRINUSE"));
    server.listen({ port, host: address, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** An image must be on the engine or in the registry that it names: the engine asks there without pulling. */
async function imageProblem(client: EngineClient, setting: string, image: string): Promise<Problem | undefined> {
  const reference = encodeURI(image);
  if ((await client.get(`/images/${reference}/json`)).status === 200) return undefined;
  const { status, body } = await client.get(`/distribution/${reference}/json`).catch((error: unknown) => ({
    status: 0,
    body: { message: messageOf(error) },
  }));
  if (status === 200) return undefined;
  return {
    setting,
    wrong: `the image ${image} is not on the engine and can't be pulled: ${messageIn(body)}`,
    cure: `name another image: pulumi config set ${setting} NAME:VERSION; \`make images\` pulls or builds the default ones`,
  };
}

function messageIn(body: unknown): string {
  const { message } = body as { message?: string };
  return message ?? "no reason given";
}
