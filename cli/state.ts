import type { PendingOperation, StateResource } from "../clouds/cloud.ts";
import type { Outputs } from "../components/outputs.ts";

/** A resource in the state. */
export interface Resource extends StateResource {
  readonly id?: string;
  readonly outputs?: Readonly<Record<string, unknown>>;
  readonly protect?: boolean;
  /** The resource is deleted, and its replacement is still to be created. */
  readonly pendingReplacement?: boolean;
}

/** The state as Pulumi exports it. */
export interface Exported {
  readonly version: number;
  readonly deployment: {
    readonly resources?: readonly Resource[];
    readonly pending_operations?: readonly PendingOperation[];
  };
}

/** The state of a stack. */
export interface State {
  readonly resources: readonly Resource[];
  readonly pending: readonly PendingOperation[];
  /** Of the last successful run; empty before that. Secrets are in clear text if the state was exported so. */
  readonly outputs: Partial<Outputs>;
}

export function stateOf({ deployment }: Exported): State {
  const { resources = [], pending_operations: pending = [] } = deployment;
  const root = resources.find(({ type }) => type === "pulumi:pulumi:Stack");
  return { resources, pending, outputs: inClear(root?.outputs ?? {}) as Partial<Outputs> };
}

/** A value of the state with its secrets unwrapped. */
export function inClear(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inClear);
  if (typeof value !== "object" || value === null) return value;
  const { plaintext } = value as { readonly plaintext?: unknown };
  if (secretMark in value && typeof plaintext === "string") return JSON.parse(plaintext);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, inClear(each)]));
}

/** The key with which Pulumi marks a wrapped value. */
const secretMark = "4dabf18193072939515e22adb298388d";
