import type * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";

/** A machine that runs containers. Where it is and how it came to be is its own affair. */
export interface DockerHost {
  /** Reaches the Docker engine. Every container, network and volume of the registry goes through it. */
  readonly provider: docker.Provider;

  /** What clients type to reach this machine when no hostname is set: a DNS name or an IPv4 address. */
  readonly address: pulumi.Output<string>;

  /** An absolute folder on the machine for the registry's data; undefined: a named volume. */
  readonly dataPath: string | undefined;
}
