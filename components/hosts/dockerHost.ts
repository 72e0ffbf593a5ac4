import type * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";

/** A machine that runs containers, wherever it is and however it was created. */
export interface DockerHost {
  /** Connects to the Docker engine. Every container, network and volume of the registry uses this provider. */
  readonly provider: docker.Provider;

  /** What clients type to reach this machine when no hostname is set: a DNS name or an IPv4 address. */
  readonly address: pulumi.Output<string>;

  /** The machine's IPv6 address, if it has one that clients can reach. */
  readonly ipv6Address?: pulumi.Output<string> | undefined;

  /** The absolute path of the data folder on the machine; undefined: a named volume. */
  readonly dataPath: string | undefined;

  /**
   * The absolute path of the folder for accounts at an authority and the certificates that it issued; undefined: a named
   * volume.
   */
  readonly accountsPath?: string | undefined;

  /** The machine, if it is created and deleted with the stack; undefined if it belongs to the user. */
  readonly machine?: HostMachine | undefined;

  /** How people and scripts sign in to the machine; undefined if it belongs to the user. */
  readonly login?: MachineLogin | undefined;
}

/** A machine that is created and deleted with a stack, and what runs on it with the machine. */
export interface HostMachine {
  /** The cloud's id of the machine. */
  readonly id: pulumi.Output<string>;
  /** Depend on this to wait until the machine can run containers. */
  readonly prepared: pulumi.Resource;
}

/** What an SSH client needs to reach a machine and to verify its identity. */
export interface MachineLogin {
  readonly address: pulumi.Output<string>;
  readonly user: string;
  /** The machine's host key, in OpenSSH format. */
  readonly hostKey: pulumi.Output<string>;
  /** Secret: the client's private key, in OpenSSH format. */
  readonly privateKey: pulumi.Output<string>;
}

/**
 * Binds everything on a machine that is created with the stack to that machine, so that another machine at the same
 * address gets it created again. What has a name is first dropped from the state, or it would be mistaken for the new one
 * of that name; the old machine is not contacted, as it may be dead.
 */
export function boundTo(machine: HostMachine | undefined): pulumi.ResourceTransformation {
  return ({ type, props, opts }) => {
    if (machine === undefined || !type.startsWith("docker:")) return undefined;
    const { labels = [] } = props as { labels?: object[] };
    const isImage = type === "docker:index/remoteImage:RemoteImage";
    const bound = isImage
      ? { triggers: { machine: machine.id } }
      : { labels: [...labels, { label: "private-registry.machine", value: machine.id }] };
    return {
      props: { ...(props as object), ...bound },
      // With an image, the containers that use it would be deleted first, too.
      opts: { ...(!isImage && { deleteBeforeReplace: true }), ...opts, deletedWith: machine.prepared },
    };
  };
}
