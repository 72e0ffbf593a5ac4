import { existsSync } from "node:fs";

import type { StateResource } from "../clouds/cloud.ts";
import { cloudOf, clouds } from "../clouds/index.ts";
import { UserError } from "../components/userError.ts";
import { linesOf, ownedBy } from "./containers.ts";
import { adopted } from "./earlier.ts";
import type { StackEngine } from "./engine.ts";
import { releaseLock, stateFolder } from "./lock.ts";
import { outputOf } from "./processes.ts";
import { type FoundContainer, planRepairs } from "./repairs.ts";
import type { Stack } from "./stack.ts";
import type { Exported, Resource } from "./state.ts";

/**
 * Cleans up after an `up` that was killed or failed, so that the next one can start: the lock of a dead process,
 * containers and networks that are not in the state, and pending operations in the state. Also undoes manual changes to
 * containers that Pulumi would not notice.
 *
 * @param reached Whether and how the engine can be reached.
 * @returns The options that make `pulumi up` run failed commands again.
 */
export async function recover(stack: Stack, reached: StackEngine["reached"]): Promise<string[]> {
  await releaseLock(stack);
  const { resources, pending } = await stack.state();
  // The containers of a lost machine are lost with it, or are found when it answers again.
  const containers = reached === "none" ? [] : findContainers(stack);
  if (reached !== "none") removeOrphans(stack, containers, new Set(resources.map(({ id }) => id)));

  for (const { type, resource } of pending) if (type === "creating") tellLost(resource);
  const isStale = pending.length > 0 || resources.some((resource) => renewed(resource) !== resource);
  // With another backend, somebody else may be using the stack.
  if (isStale && stateFolder() !== undefined) await stack.import(settled(await stack.exported()));

  const { rerun, unpause, rename } = planRepairs(resources, containers);
  for (const id of unpause) {
    console.error(`▸ A container is paused: resuming ${id.slice(0, 12)}`);
    outputOf("docker", ["unpause", id]);
  }
  for (const { id, name } of rename) {
    console.error(`▸ A container was renamed: renaming ${id.slice(0, 12)} back to ${name}`);
    outputOf("docker", ["rename", id, name]);
  }
  return rerun.map((urn) => `--replace=${urn}`);
}

function findContainers(stack: Stack): FoundContainer[] {
  const ids = listed(["ps", "--all", "--quiet", "--no-trunc", ...ownedBy(stack)]);
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

function listed(args: readonly string[]): string[] {
  return linesOf(outputOf("docker", args));
}

/** Only those of this checkout: another checkout may have a stack of this name on the same engine. */
function removeOrphans(
  stack: Stack,
  containers: readonly FoundContainer[],
  known: ReadonlySet<string | undefined>,
): void {
  const networks = listed(["network", "ls", "--quiet", "--no-trunc", ...ownedBy(stack)]);
  for (const [kind, ids, remove] of [
    ["container", containers.map(({ id }) => id), ["rm", "--force", "--volumes"]],
    ["network", networks, ["network", "rm"]],
  ] as const) {
    const orphans = ids.filter((id) => !known.has(id));
    if (orphans.length > 0 && !existsSync(stack.unfinished)) {
      throw new UserError(
        `This engine already has a stack ${stack.name} that is not in the state of this checkout. Choose another name ` +
          `(make up STACK=…), or, if a \`pulumi up\` by hand was killed here: touch ${stack.unfinished}`,
      );
    }
    for (const id of orphans) {
      console.error(`▸ A run was killed before it could record a ${kind}: removing ${id.slice(0, 12)}`);
      outputOf("docker", [...remove, id]);
    }
  }
}

/** Warns of a resource that the cloud may have created unrecorded: it can't be detected, but it costs money. */
function tellLost({ type, urn }: StateResource): void {
  const cloud = cloudOf({ type });
  if (cloud === undefined || cloud.unique.test(type)) return;
  const name = urn.slice(urn.lastIndexOf("::") + 2);
  console.error(
    `▸ A run ended while ${type.slice(0, type.indexOf(":"))} was creating ${type.slice(type.lastIndexOf(":") + 1)} ${name}: ` +
      `if it was created, it is not in the state, and stays next to a new one. Check the console, and delete it.`,
  );
}

/** The state without pending operations: they have been reported, and every later run would warn of them. */
function settled({ deployment, ...rest }: Exported): Exported {
  const { resources = [], pending_operations: pending = [] } = deployment;
  const settle = (resource: Resource) =>
    Object.values(clouds).reduce((each, cloud) => cloud.settle?.(each, pending) ?? each, renewed(resource));
  return { ...rest, deployment: { ...deployment, resources: resources.map(settle), pending_operations: [] } };
}

/**
 * A resource as this run can continue with it; the same object if nothing changes. If a killed run had already deleted it
 * from a cloud in order to replace it, the refresh must find that out: Pulumi would not look, and delete it a second
 * time, which some plugins refuse.
 */
function renewed(resource: Resource): Resource {
  const isDeleted = resource.pendingReplacement === true && cloudOf(resource) !== undefined;
  return isDeleted ? { ...adopted(resource), pendingReplacement: false } : adopted(resource);
}
