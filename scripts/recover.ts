// Clears away what an `up` that was killed or failed left behind, so that the next one can start: a lock whose holder is
// gone, and containers and networks that were made but never written to the state. Prints the options by which
// `pulumi up` runs again what had run and failed.
//   tsx scripts/recover.ts STACK ENGINE       with the environment of scripts/env and scripts/engine-env.ts
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

import { ownerLabel } from "../components/privateRegistry";
import { type Resource, stateOf } from "./pulumi";

const project = "private-registry";
const [stack = "", engine = ""] = process.argv.slice(2);

/** What Pulumi writes into a lock. */
interface Holder {
  readonly pid: number;
  readonly hostname: string;
}

releaseLock();

const { resources, pending } = stateOf(stack);
// What is on a machine that is lost goes with it, or is found when it answers again.
if (engine === "local" || engine === "machine") removeOrphans(new Set(resources.map(({ id }) => id)));
for (const { type, resource } of pending) if (type === "creating") tellLost(resource);
for (const { urn, outputs } of resources) {
  if ((outputs?.["exitCode"] ?? 0) !== 0) console.log(`--replace=${urn}`);
}

/**
 * Waits for a run that goes on although the `make` that began it is gone, and takes the lock from one that was killed.
 * Only in the state folder of this project: other backends keep locks in ways of their own.
 */
function releaseLock(): void {
  const backend = process.env["PULUMI_BACKEND_URL"] ?? "";
  if (!backend.startsWith("file://")) return;
  const folder = join(backend.slice("file://".length), ".pulumi", "locks", "organization", project, stack);
  const holders = () => lockFilesIn(folder).map((file) => JSON.parse(readFileSync(file, "utf8")) as Holder);
  const isHeld = () => holders().some((holder) => holder.hostname !== hostname() || isAlive(holder.pid));

  if (isHeld()) console.error("▸ Another `pulumi` is at work on this stack: waiting for it to end");
  for (const end = Date.now() + 15 * 60_000; isHeld() && Date.now() < end;) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  }
  if (isHeld() || holders().length === 0) return;
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

/** Only those of a run of this checkout: another one may have a stack of this name up on the same engine. */
function removeOrphans(known: ReadonlySet<string | undefined>): void {
  const ours = existsSync(`.state/${stack}.unfinished`);
  const label = `label=${ownerLabel}=${project}-${stack}`;
  for (const [kind, list, remove] of [
    ["container", ["ps", "--all", "--quiet", "--no-trunc", "--filter", label], ["rm", "--force", "--volumes"]],
    ["network", ["network", "ls", "--quiet", "--no-trunc", "--filter", label], ["network", "rm"]],
  ] as const) {
    const orphans = docker(list)
      .split("\n")
      .filter((id) => id !== "" && !known.has(id));
    if (orphans.length > 0 && !ours) {
      console.error(
        `A stack ${stack} is on this engine already, and not in the state of this checkout. Choose another name ` +
          `(make up STACK=…), or, if a \`pulumi up\` by hand was killed here: touch .state/${stack}.unfinished`,
      );
      process.exit(1);
    }
    for (const id of orphans) {
      console.error(`▸ A run was killed before it could note down a ${kind}: removing ${id.slice(0, 12)}`);
      docker([...remove, id]);
    }
  }
}

/** A cloud may have made what the state knows nothing of: that can't be seen from here, but goes on costing. */
function tellLost({ type, urn }: Resource): void {
  const cloud = /^(digitalocean|aws):/.exec(type)?.[1];
  // What joins two things is there once, and so is a record of Route 53.
  if (cloud === undefined || /(Attachment|Assignment|Association|route53.*)$/.test(type)) return;
  const name = urn.slice(urn.lastIndexOf("::") + 2);
  console.error(
    `▸ A run ended while ${cloud} was making ${type.slice(type.lastIndexOf(":") + 1)} ${name}: if it was made, it is ` +
      `not in the state, and stays beside the one that is made now. Look for it there, and delete it.`,
  );
  // The account has the public key perhaps, and takes none twice.
  if (type === "digitalocean:index/sshKey:SshKey") {
    const key = resources.find(({ urn: other }) => other.endsWith("-keys-client"));
    if (key !== undefined) console.log(`--replace=${key.urn}`);
  }
}

function docker(args: readonly string[]): string {
  return execFileSync("docker", args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}
