import { readFile } from "node:fs/promises";
import { request } from "node:http";

/** The resources that containers have used and now hold. */
export interface Usage {
  /** User and system time, seconds. */
  readonly cpu: number;
  /** Anonymous memory, bytes: that of the processes, without the page cache. */
  readonly memory: number;
  /** Bytes that the processes wrote, including files that were removed soon after. */
  readonly written: number;
}

interface Stats {
  readonly cpu_stats: { readonly cpu_usage: { readonly total_usage: number } };
  /** `anon` of control groups version 2, `rss` of version 1. */
  readonly memory_stats: { readonly stats: { readonly anon?: number; readonly rss?: number } };
}

/** Sends a request to the local engine's API. */
export function askEngine(method: string, path: string, body?: unknown): Promise<unknown> {
  const socketPath = (process.env["DOCKER_HOST"] ?? "").replace(/^unix:\/\//, "");
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, headers: { "Content-Type": "application/json" } }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => {
        if ((response.statusCode ?? 500) < 300) resolve(text === "" ? undefined : JSON.parse(text));
        else reject(new Error(`${method} ${path}: ${text}`));
      });
    });
    asked.on("error", reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

export async function usageOf(containers: readonly string[]): Promise<Usage> {
  const usages = await Promise.all(containers.map(usageOfOne));
  const sum = (of: (usage: Usage) => number) => usages.reduce((total, usage) => total + of(usage), 0);
  return { cpu: sum(({ cpu }) => cpu), memory: sum(({ memory }) => memory), written: sum(({ written }) => written) };
}

async function usageOfOne(container: string): Promise<Usage> {
  const stats = (await askEngine("GET", `/containers/${container}/stats?stream=false&one-shot=true`)) as Stats;
  const { anon, rss = 0 } = stats.memory_stats.stats;
  const top = await askEngine("GET", `/containers/${container}/top?ps_args=-eo%20pid`);
  const written = await Promise.all((top as { Processes: string[][] }).Processes.map(([pid = ""]) => writtenBy(pid)));
  return {
    cpu: stats.cpu_stats.cpu_usage.total_usage / 1e9,
    memory: anon ?? rss,
    written: written.reduce((total, bytes) => total + bytes, 0),
  };
}

async function writtenBy(pid: string): Promise<number> {
  // A health check may have exited since.
  const io = await readFile(`/proc/${pid}/io`, "utf8").catch(() => "");
  return Number(/^write_bytes: (\d+)$/m.exec(io)?.[1] ?? 0);
}
