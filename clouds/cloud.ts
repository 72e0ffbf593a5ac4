import type { OpenPorts } from "../components/endpoint.ts";
import type { DockerHost } from "../components/hosts/dockerHost.ts";
import type { Problem } from "../settings/problems.ts";

/** A cloud in which machines are created. Its folder holds everything about it, and loads its SDK only when used. */
export interface Cloud<Args extends OpenPorts> {
  /** The Pulumi package of its resources: the beginning of their types. */
  readonly package: string;

  /**
   * Asks the cloud, before anything is created, whether it has what the settings need. Changes nothing there.
   *
   * @param name The name of the host.
   */
  readonly ask: (name: string, args: Omit<Args, keyof OpenPorts>) => Promise<Problem[]>;

  /** Creates the machine, its data volume, its address and its firewall. */
  readonly createHost: (name: string, args: Args) => Promise<DockerHost>;

  /** The type of the data volume, which outlives the stack, and its approximate price per GiB and month, dollars. */
  readonly dataVolume: { readonly type: string; readonly price: number };

  /** The types of resources that can't exist twice, even if a run is killed while it creates one. */
  readonly unique: RegExp;

  /**
   * Corrects a resource in the state after a killed run, so that the next run can continue. Default: no change.
   */
  readonly settle?: <T extends StateResource>(resource: T, pending: readonly PendingOperation[]) => T;
}

/** The part of a resource in the state that a cloud may have to correct. */
export interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  /** The resource has been replaced and is still to be deleted. */
  readonly delete?: boolean;
  /** Makes Pulumi replace the resource. */
  readonly taint?: boolean;
}

/** An operation that was in progress when the state was written. */
export interface PendingOperation {
  readonly type: "creating" | "updating" | "deleting";
  readonly resource: StateResource;
}
