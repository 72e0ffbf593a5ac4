import { cpus, release, totalmem } from "node:os";

import { command, docker } from "./commands.ts";
import { number } from "./report.ts";

/** The conditions of the figures, line by line. */
export async function describeMachine(images: readonly string[]): Promise<string[]> {
  const [cpu] = cpus();
  const engine = await docker("version", "--format", "{{.Server.Version}}");
  return [
    `${String(cpus().length)} cores of ${cpu?.model ?? "an unknown processor"}, ${number(totalmem() / 2 ** 30)} GiB of memory, Linux ${release()}`,
    `Docker engine ${engine}; ${images.join(", ")}`,
  ];
}

/** The programs that generate the load, in one line. */
export async function describeClients(): Promise<string> {
  const curl = (await command("curl", ["--version"])).split(" ").slice(0, 2).join(" ");
  return `clients: wrk, ${curl}, Node.js ${process.versions.node}`;
}
