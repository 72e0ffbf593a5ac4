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

/** Of /proc/PID/stat: the kernel's unit of time towards programs, on every Linux of today. */
const TICKS_PER_SECOND = 100;

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

/** Read from the processes: not every engine can say what its control groups counted. */
export async function usageOf(containers: readonly string[]): Promise<Usage> {
  const pids = (await Promise.all(containers.map(processesOf))).flat();
  const usages = await Promise.all(pids.map(usageOfProcess));
  const sum = (of: (usage: Usage) => number) => usages.reduce((total, usage) => total + of(usage), 0);
  return { cpu: sum(({ cpu }) => cpu), memory: sum(({ memory }) => memory), written: sum(({ written }) => written) };
}

async function processesOf(container: string): Promise<string[]> {
  const top = await askEngine("GET", `/containers/${container}/top?ps_args=-eo%20pid`);
  return (top as { Processes: string[][] }).Processes.map(([pid = ""]) => pid);
}

async function usageOfProcess(pid: string): Promise<Usage> {
  // A health check may have exited since.
  const read = (file: string) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
  const [stat, status, io] = await Promise.all([read("stat"), read("status"), read("io")]);
  // After the name, which may hold blanks and brackets: user and system time, its own and that of its ended children.
  const times = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 15)
    .map(Number);
  return {
    cpu: times.reduce((total, ticks) => total + ticks, 0) / TICKS_PER_SECOND,
    memory: Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024,
    written: Number(/^write_bytes: (\d+)$/m.exec(io)?.[1] ?? 0),
  };
}
