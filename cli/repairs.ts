import type { Resource } from "./state.ts";

/** A container of a stack as its engine has it. */
export interface FoundContainer {
  readonly id: string;
  readonly name: string;
  /** Docker's word: `running`, `paused`, `exited`, … */
  readonly status: string;
  readonly exitCode: number;
}

/** What has to be done before `pulumi up`, as Pulumi either does not see it or would make too much of it. */
export interface Repairs {
  /** One-shots that failed or were never started, by URN: they run again. */
  readonly rerun: readonly string[];
  /** Paused containers, by id: Pulumi takes them for running. */
  readonly unpause: readonly string[];
  /** Containers that got another name: Pulumi would replace them. */
  readonly rename: readonly { readonly id: string; readonly name: string }[];
}

/**
 * Decides what a stack needs. The exit code of a server means nothing: it is how it ended last, even where it runs again
 * by now. That it has to run, Pulumi sees to.
 *
 * @param containers What the engine has of this stack; none where it isn't asked. What the state doesn't know is removed.
 */
export function planRepairs(resources: readonly Resource[], containers: readonly FoundContainer[]): Repairs {
  const ids = new Set(resources.map(({ id }) => id));
  const known = resources.filter(({ type, delete: isLeftOver }) => type === containerType && !isLeftOver);
  const foundOf = ({ id }: Resource) => containers.find((container) => container.id === id);
  const failed = (resource: Resource) =>
    resource.outputs?.["exitCode"] !== 0 || (foundOf(resource)?.exitCode ?? 0) !== 0;
  return {
    rerun: known.filter((resource) => isOneShot(resource) && failed(resource)).map(({ urn }) => urn),
    unpause: containers.filter(({ id, status }) => status === "paused" && ids.has(id)).map(({ id }) => id),
    rename: known.flatMap((resource) => {
      const found = foundOf(resource);
      const name = resource.inputs?.["name"];
      return found !== undefined && typeof name === "string" && name !== found.name ? [{ id: found.id, name }] : [];
    }),
  };
}

const containerType = "docker:index/container:Container";

/** A container that runs one command to its end, by the component that it belongs to. */
function isOneShot({ urn }: Resource): boolean {
  return urn.includes(`privateregistry:index:OneShot$${containerType}::`);
}
