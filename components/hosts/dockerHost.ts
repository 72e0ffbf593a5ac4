import type * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";

/** A machine that runs containers. Where it is and how it came to be is its own affair. */
export interface DockerHost {
  /** Reaches the Docker engine. Every container, network and volume of the registry goes through it. */
  readonly provider: docker.Provider;

  /** What clients type to reach this machine when no hostname is set: a DNS name or an IPv4 address. */
  readonly address: pulumi.Output<string>;

  /** The machine's IPv6 address, where it has one that clients reach. */
  readonly ipv6Address?: pulumi.Output<string> | undefined;

  /** An absolute folder on the machine for the registry's data; undefined: a named volume. */
  readonly dataPath: string | undefined;

  /** The machine, where it is made and unmade with the stack; undefined where it is the user's own. */
  readonly machine?: HostMachine | undefined;

  /** How people and scripts sign in to the machine; undefined where that is the user's own affair. */
  readonly login?: MachineLogin | undefined;
}

/** A machine that comes and goes with a stack. What runs on it ends with it, and is made anew on the next one. */
export interface HostMachine {
  /** Which one it is, as the cloud calls it. */
  readonly id: pulumi.Output<string>;
  /** The fact that it is ready for containers: without it there are none. */
  readonly prepared: pulumi.Resource;
}

/** What an SSH client needs to reach a machine, and to know that it is the right one. */
export interface MachineLogin {
  readonly address: pulumi.Output<string>;
  readonly user: string;
  /** The machine's host key, in OpenSSH's notation. */
  readonly hostKey: pulumi.Output<string>;
  /** Secret: the client's private key, in OpenSSH's notation. */
  readonly privateKey: pulumi.Output<string>;
}

/**
 * For a machine that is made and unmade with the stack: what is on it knows which one it is on, so that another machine
 * at the same address gets it anew. What was on the one before is forgotten first, or it would be taken for the new one
 * of the same name, and without a word to that machine, which may be dead.
 */
export function boundTo(machine: HostMachine | undefined): pulumi.ResourceTransformation {
  return ({ type, props, opts }) => {
    if (machine === undefined || !type.startsWith("docker:")) return undefined;
    const { labels = [] } = props as { labels?: object[] };
    const bound =
      type === "docker:index/remoteImage:RemoteImage"
        ? { triggers: { machine: machine.id } }
        : { labels: [...labels, { label: "private-registry.machine", value: machine.id }] };
    return {
      props: { ...(props as object), ...bound },
      opts: { ...opts, deletedWith: machine.prepared, deleteBeforeReplace: true },
    };
  };
}
