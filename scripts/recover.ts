// Clears away what a run that was killed left behind, so that the next `up` of the stack can start:
// a lock whose holder is gone, and containers and networks that were made but never written to the state.
//   tsx scripts/recover.ts STACK       with the environment of scripts/env and scripts/engine-env.ts
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

import { ownerLabel } from "../components/privateRegistry";
import { pulumiJson } from "./pulumi";

const project = "private-registry";
const [stack = ""] = process.argv.slice(2);

releaseStaleLocks();
removeOrphans();

/** Only in the state folder of this project: other backends keep locks in ways of their own. */
function releaseStaleLocks(): void {
  const backend = process.env["PULUMI_BACKEND_URL"] ?? "";
  if (!backend.startsWith("file://")) return;
  const folder = join(backend.slice("file://".length), ".pulumi", "locks", "organization", project, stack);
  const holders = lockFilesIn(folder).map(
    (file) => JSON.parse(readFileSync(file, "utf8")) as { pid: number; hostname: string },
  );
  if (holders.length === 0 || holders.some((holder) => holder.hostname !== hostname() || isAlive(holder.pid))) return;
  console.error("▸ A run was killed while it held the lock of this stack: releasing it");
  execFileSync("pulumi", ["cancel", "--yes", "--stack", stack], { stdio: ["ignore", "ignore", "inherit"] });
}

function lockFilesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".json"))
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function removeOrphans(): void {
  const known = idsInState();
  const label = `label=${ownerLabel}=${project}-${stack}`;
  for (const [kind, list, remove] of [
    ["container", ["ps", "--all", "--quiet", "--no-trunc", "--filter", label], ["rm", "--force"]],
    ["network", ["network", "ls", "--quiet", "--no-trunc", "--filter", label], ["network", "rm"]],
  ] as const) {
    const orphans = docker(list)
      .split("\n")
      .filter((id) => id !== "" && !known.has(id));
    for (const id of orphans) {
      console.error(`▸ A run was killed before it could note down a ${kind}: removing ${id.slice(0, 12)}`);
      docker([...remove, id]);
    }
  }
}

function idsInState(): Set<string> {
  const state = pulumiJson(["stack", "export", "--stack", stack]) as { deployment?: { resources?: { id?: string }[] } };
  return new Set((state.deployment?.resources ?? []).flatMap(({ id }) => (id === undefined ? [] : [id])));
}

function docker(args: readonly string[]): string {
  return execFileSync("docker", args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}
