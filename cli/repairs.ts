import type { Resource } from "./state.ts";

/** A container of a stack, as the engine reports it. */
export interface FoundContainer {
  readonly id: string;
  readonly name: string;
  /** In Docker's terms: `running`, `paused`, `exited`, … */
  readonly status: string;
  readonly exitCode: number;
}

/** Repairs before `pulumi up`, of damage that Pulumi would not notice or would repair with too many changes. */
export interface Repairs {
  /** One-shots that failed or never started, by URN. They run again. */
  readonly rerun: readonly string[];
  /** Paused containers, by id. Pulumi considers them running. */
  readonly unpause: readonly string[];
  /** Renamed containers. Pulumi would replace them. */
  readonly rename: readonly { readonly id: string; readonly name: string }[];
}

/**
 * Determines the repairs that a stack needs. The exit code of a server is ignored: it is that of its last exit, even if
 * the server runs again. Pulumi makes sure that servers run.
 *
 * @param containers The stack's containers on the engine; none if it isn't asked. Those not in the state are removed.
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

/** Whether a container runs one command to completion, judged by its component. */
function isOneShot({ urn }: Resource): boolean {
  return urn.includes(`privateregistry:index:OneShot$${containerType}::`);
}
