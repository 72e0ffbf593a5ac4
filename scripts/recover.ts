// Clears away what an `up` that was killed or failed left behind, so that the next one can start: a lock whose holder is
// gone, containers and networks that were made but never written to the state, and in the state itself what was under
// way. Undoes what somebody did to a container by hand and Pulumi would not see. Prints the options by which `pulumi up`
// runs again what had run and failed.
//   tsx scripts/recover.ts STACK ENGINE       with the environment of scripts/env and scripts/engine-env.ts
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

import { ownerLabel } from "../components/privateRegistry";
import {
  type Deployment,
  importState,
  outputOf,
  type Pending,
  project,
  pulumiJson,
  type Resource,
  stateOf,
} from "./pulumi";
import { type FoundContainer, planRepairs } from "./repairs";

const [stack = "", engine = ""] = process.argv.slice(2);

/** What Pulumi writes into a lock. */
interface Holder {
  readonly pid: number;
  readonly hostname: string;
}

/** The state folder of this project; other backends keep locks in ways of their own. */
const [, stateFolder] = /^file:\/\/([^?]*)/.exec(process.env["PULUMI_BACKEND_URL"] ?? "") ?? [];
if (stateFolder !== undefined) releaseLock(stateFolder);

const exported = pulumiJson(["stack", "export", "--stack", stack]) as { readonly deployment?: Deployment };
const { resources, pending } = stateOf(stack, exported);
const ownedBy = `label=${ownerLabel}=${project}-${stack}`;
// What is on a machine that is lost goes with it, or is found when it answers again.
if (engine !== "none") removeOrphans(new Set(resources.map(({ id }) => id)));
for (const { type, resource } of pending) if (type === "creating") tellLost(resource);
// Elsewhere somebody else may be at work on it.
if (pending.length > 0 && stateFolder !== undefined) importState(stack, { ...exported, deployment: settled() });
const { rerun, unpause, rename } = planRepairs(resources, engine === "none" ? [] : findContainers());
for (const id of unpause) {
  console.error(`▸ A container is paused: letting ${id.slice(0, 12)} go on`);
  outputOf("docker", ["unpause", id]);
}
for (const { id, name } of rename) {
  console.error(`▸ A container was renamed: ${id.slice(0, 12)} is ${name} again`);
  outputOf("docker", ["rename", id, name]);
}
for (const urn of rerun) console.log(`--replace=${urn}`);

/** Waits for a run that goes on although the `make` that began it is gone, and takes the lock from one that was killed. */
function releaseLock(backend: string): void {
  const folder = join(backend, ".pulumi", "locks", "organization", project, stack);
  const holders = () => lockFilesIn(folder).map((file) => JSON.parse(readFileSync(file, "utf8")) as Holder);
  const isHeld = () => holders().some((holder) => holder.hostname !== hostname() || isAlive(holder.pid));

  if (isHeld()) console.error("▸ Another `pulumi` is at work on this stack: waiting for it to end");
  for (const end = Date.now() + 15 * 60_000; isHeld() && Date.now() < end;) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  }
  if (isHeld()) {
    console.error("It has not ended in 15 minutes: look for it with `ps`, end it, and try again.");
    process.exit(1);
  }
  if (holders().length === 0) return;
  console.error("▸ A run was killed while it held the lock of this stack: releasing it");
  outputOf("pulumi", ["cancel", "--yes", "--stack", stack]);
}

/**
 * The state with nothing under way: that is told, or found out by looking, and Pulumi would go on warning of it.
 *
 * A volume of DigitalOcean that is larger than the state has it can't be looked at, as its plugin takes it for one that
 * is to shrink: it gets the size that it was to have. An account takes no public key twice, and may have the one that it
 * was given: the client gets another.
 */
function settled(): Deployment {
  const was = (verb: Pending["type"], kind: string) =>
    pending.filter(({ type, resource }) => type === verb && resource.type === kind).map(({ resource }) => resource);
  const growing = was("updating", "digitalocean:index/volume:Volume");
  const isKeyLost = was("creating", "digitalocean:index/sshKey:SshKey").length > 0;
  const mended = resources.map((resource) => {
    const { urn } = resource;
    const { inputs } = growing.find((each) => each.urn === urn && !resource.delete) ?? {};
    return {
      ...resource,
      ...(inputs && { inputs }),
      ...(isKeyLost && urn.endsWith("-keys-client") && { taint: true }),
    };
  });
  return { ...exported.deployment, resources: mended, pending_operations: [] };
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
  for (const [kind, list, remove] of [
    ["container", ["ps", "--all", "--quiet", "--no-trunc", "--filter", ownedBy], ["rm", "--force", "--volumes"]],
    ["network", ["network", "ls", "--quiet", "--no-trunc", "--filter", ownedBy], ["network", "rm"]],
  ] as const) {
    const orphans = outputOf("docker", list)
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
      outputOf("docker", [...remove, id]);
    }
  }
}

function findContainers(): FoundContainer[] {
  const ids = outputOf("docker", ["ps", "--all", "--quiet", "--no-trunc", "--filter", ownedBy])
    .split("\n")
    .slice(0, -1);
  if (ids.length === 0) return [];
  const inspected = JSON.parse(outputOf("docker", ["container", "inspect", ...ids])) as {
    readonly Id: string;
    readonly Name: string;
    readonly State: { readonly Status: string; readonly ExitCode: number };
  }[];
  return inspected.map(({ Id: id, Name, State: { Status: status, ExitCode: exitCode } }) => {
    return { id, name: Name.replace(/^\//, ""), status, exitCode };
  });
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
}
