import { existsSync } from "node:fs";

import type { StateResource } from "../clouds/cloud.ts";
import { cloudOf, clouds } from "../clouds/index.ts";
import { ownerLabel } from "../components/labels.ts";
import { UserError } from "../components/userError.ts";
import { adopted } from "./earlier.ts";
import type { StackEngine } from "./engine.ts";
import { releaseLock, stateFolder } from "./lock.ts";
import { outputOf } from "./processes.ts";
import { type FoundContainer, planRepairs } from "./repairs.ts";
import type { Stack } from "./stack.ts";
import type { Exported, Resource } from "./state.ts";

/**
 * Clears away what an `up` that was killed or failed left behind, so that the next one can start: a lock whose holder is
 * gone, containers and networks that were made but never written to the state, and in the state itself what was under
 * way. Undoes what somebody did to a container by hand and Pulumi would not see.
 *
 * @param reached Whether and how the engine can be asked.
 * @returns The options by which `pulumi up` runs again what had run and failed.
 */
export async function recover(stack: Stack, reached: StackEngine["reached"]): Promise<string[]> {
  await releaseLock(stack);
  const { resources, pending } = await stack.state();
  // What is on a machine that is lost goes with it, or is found when it answers again.
  const containers = reached === "none" ? [] : findContainers(stack);
  if (reached !== "none") removeOrphans(stack, containers, new Set(resources.map(({ id }) => id)));

  for (const { type, resource } of pending) if (type === "creating") tellLost(resource);
  // Elsewhere somebody else may be at work on it.
  const isStale = pending.length > 0 || resources.some((resource) => adopted(resource) !== resource);
  if (isStale && stateFolder() !== undefined) await stack.import(settled(await stack.exported()));

  const { rerun, unpause, rename } = planRepairs(resources, containers);
  for (const id of unpause) {
    console.error(`▸ A container is paused: letting ${id.slice(0, 12)} go on`);
    outputOf("docker", ["unpause", id]);
  }
  for (const { id, name } of rename) {
    console.error(`▸ A container was renamed: ${id.slice(0, 12)} is ${name} again`);
    outputOf("docker", ["rename", id, name]);
  }
  return rerun.map((urn) => `--replace=${urn}`);
}

/** What the engine has of a stack, by its label. */
export function ownedBy(stack: Stack): readonly string[] {
  return ["--filter", `label=${ownerLabel}=${stack.fullName}`];
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
  return outputOf("docker", args)
    .split("\n")
    .filter((line) => line !== "");
}

/** Only those of a run of this checkout: another one may have a stack of this name up on the same engine. */
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
        `A stack ${stack.name} is on this engine already, and not in the state of this checkout. Choose another name ` +
          `(make up STACK=…), or, if a \`pulumi up\` by hand was killed here: touch ${stack.unfinished}`,
      );
    }
    for (const id of orphans) {
      console.error(`▸ A run was killed before it could note down a ${kind}: removing ${id.slice(0, 12)}`);
      outputOf("docker", [...remove, id]);
    }
  }
}

/** A cloud may have made what the state knows nothing of: that can't be seen from here, but goes on costing. */
function tellLost({ type, urn }: StateResource): void {
  const cloud = cloudOf({ type });
  if (cloud === undefined || cloud.unique.test(type)) return;
  const name = urn.slice(urn.lastIndexOf("::") + 2);
  console.error(
    `▸ A run ended while ${type.slice(0, type.indexOf(":"))} was making ${type.slice(type.lastIndexOf(":") + 1)} ${name}: ` +
      `if it was made, it is not in the state, and stays beside the one that is made now. Look for it there, and delete it.`,
  );
}

/** The state with nothing under way: that is told, or found out by looking, and Pulumi would go on warning of it. */
function settled({ deployment, ...rest }: Exported): Exported {
  const { resources = [], pending_operations: pending = [] } = deployment;
  const settle = (resource: Resource) =>
    Object.values(clouds).reduce((each, cloud) => cloud.settle?.(each, pending) ?? each, adopted(resource));
  return { ...rest, deployment: { ...deployment, resources: resources.map(settle), pending_operations: [] } };
}
