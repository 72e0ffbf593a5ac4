import type { DockerHost } from "../components/hosts/dockerHost.ts";
import type { Problem } from "../settings/problems.ts";

/** A cloud that machines are made in. What is about one alone is in its folder, which loads its SDK where it is used. */
export interface Cloud<Args extends { readonly ports: readonly number[] }> {
  /** The Pulumi package of its resources, which their types begin with. */
  readonly package: string;

  /**
   * Asks the cloud, before anything is made, whether it has what the settings want of it. Changes nothing there.
   *
   * @param name That of the host.
   */
  readonly ask: (name: string, args: Omit<Args, "ports">) => Promise<Problem[]>;

  /** Makes the machine, its data volume, its address and its firewall. */
  readonly createHost: (name: string, args: Args) => Promise<DockerHost>;

  /** What stays when a stack is taken down: the type of a data volume, and what a GiB costs a month, dollars, about. */
  readonly dataVolume: { readonly type: string; readonly price: number };

  /** What there can be only one of, by type: it is not made twice where a run is killed while it is made. */
  readonly unique: RegExp;

  /**
   * A resource of the state as it has to be after a run that was killed, so that the next run can go on.
   * Default: as it is.
   */
  readonly settle?: <T extends StateResource>(resource: T, pending: readonly PendingOperation[]) => T;
}

/** What of a resource in the state a cloud may have to correct. */
export interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  /** Something that another one has taken the place of, and that is only still to be deleted. */
  readonly delete?: boolean;
  /** Makes Pulumi replace it. */
  readonly taint?: boolean;
}

/** What was under way when the state was written. */
export interface PendingOperation {
  readonly type: "creating" | "updating" | "deleting";
  readonly resource: StateResource;
}
