import { createServer } from "node:net";

import type { Problem } from "../../problems";
import type { Engine } from "./engine";
import type { EngineClient } from "./engineClient";

/** What the registry will want of an engine. */
export interface Wanted {
  /** The setting that named the engine. */
  readonly engineSetting: string;
  /** The TCP port to publish, and the address to publish it on. */
  readonly port: number;
  readonly publishedOn: string;
  /** The container that may have that port already: our own. */
  readonly proxyName: string;
  /** Image references by the name of their setting. */
  readonly images: Readonly<Record<string, string>>;
}

/** Docker 20.10, the oldest that this project is tested with. */
const oldest = { api: "1.41", release: "20.10" };

/** The engine that doesn't answer, told apart because a preview can do without it. */
export interface EngineReport {
  readonly reachable: boolean;
  readonly problems: Problem[];
}

/** Asks the engine, before anything is made, whether what is wanted of it can be had. Changes nothing there. */
export async function checkEngine(engine: Engine, client: EngineClient, wanted: Wanted): Promise<EngineReport> {
  const unusable = await versionProblem(engine, client, wanted);
  if (unusable !== undefined) return unusable;
  const problems = [
    await portProblem(engine, client, wanted),
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
    const wrong = `no Docker engine answers at ${engine.host} (${engine.foundBy}): ${error instanceof Error ? error.message : String(error)}`;
    const cure = `start it, or name another: pulumi config set dockerHost unix:///path/to/docker.sock (or dockerContext, dockerMachine)`;
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

async function portProblem(engine: Engine, client: EngineClient, wanted: Wanted): Promise<Problem | undefined> {
  const { body } = await client.get("/containers/json");
  const holder = (body as RunningContainer[]).find(({ Ports }) =>
    Ports.some(({ PublicPort }) => PublicPort === wanted.port),
  );
  const name = holder?.Names[0]?.replace(/^\//, "");
  if (name === wanted.proxyName) return undefined;
  const taken =
    name === undefined ? isLocal(engine) && !(await canListen(wanted.port, wanted.publishedOn)) : `container ${name}`;
  if (taken === false) return undefined;
  return {
    setting: "port",
    wrong: `port ${String(wanted.port)} of ${wanted.publishedOn} is taken by ${taken === true ? "another program" : taken}`,
    cure: `choose another: pulumi config set port ${String(wanted.port === 65535 ? 5043 : wanted.port + 1)}`,
  };
}

function isLocal(engine: Engine): boolean {
  return engine.host.startsWith("unix://");
}

function canListen(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    // A privileged port is refused to us, not to the engine.
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "EADDRINUSE"));
    server.listen({ port, host: address, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Present, or to be had from where the reference says: the engine asks there without pulling. */
async function imageProblem(client: EngineClient, setting: string, image: string): Promise<Problem | undefined> {
  const reference = encodeURI(image);
  if ((await client.get(`/images/${reference}/json`)).status === 200) return undefined;
  const { status, body } = await client.get(`/distribution/${reference}/json`).catch((error: unknown) => ({
    status: 0,
    body: { message: error instanceof Error ? error.message : String(error) },
  }));
  if (status === 200) return undefined;
  return {
    setting,
    wrong: `the image ${image} is not on the engine and can't be had: ${messageIn(body)}`,
    cure: `name one that can: pulumi config set ${setting} NAME:VERSION; \`make images\` gets or builds the default ones`,
  };
}

function messageIn(body: unknown): string {
  const { message } = body as { message?: string };
  return message ?? "no reason given";
}
