import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { hardened, type Limits } from "./hardening.ts";
import { inRole, type Role } from "./labels.ts";

export interface JobArgs {
  readonly role: Role;
  readonly image: pulumi.Input<string>;
  /** Numeric `uid:gid`. */
  readonly user: string;
  /** The program and its words. */
  readonly command: pulumi.Input<string>[];
  /** `NAME=value`; never a secret. Default: none. */
  readonly envs?: pulumi.Input<string>[];
  readonly volumes: docker.ContainerArgs["volumes"];
  /** The network of the container: the name of one, or `none`. */
  readonly network: pulumi.Input<string>;
  /** A shell command that fails, and prints why, if a person should look. Asked every half minute. */
  readonly health: string;
  readonly limits: Limits;
}

/**
 * A container that works beside the registry, by a schedule of its own. It serves nobody, so that a change of its args
 * replaces it without cutting anything.
 */
export class Job extends pulumi.ComponentResource {
  constructor(name: string, args: JobArgs, opts?: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:Job", name, {}, opts);
    const { role, image, user, command, envs = [], volumes, network, health, limits } = args;

    new docker.Container(
      `${name}-container`,
      {
        ...hardened(limits),
        ...inRole(role),
        name,
        image,
        user,
        readOnly: true,
        tmpfs: { "/tmp": "mode=1777,size=16m" },
        entrypoints: command.slice(0, 1),
        command: command.slice(1),
        envs,
        volumes,
        networkMode: network,
        restart: "unless-stopped",
        // Otherwise it is killed at once.
        destroyGraceSeconds: 10,
        healthcheck: {
          tests: ["CMD-SHELL", health],
          interval: "30s",
          timeout: "10s",
          startPeriod: "30s",
          retries: 3,
        },
      },
      {
        parent: this,
        // Pulumi does not pass a component's dependsOn to its children.
        ...(opts?.dependsOn && { dependsOn: opts.dependsOn }),
        // Docker can't change the health check of a container, and two containers can't have the same name.
        replaceOnChanges: ["healthcheck"],
        deleteBeforeReplace: true,
      },
    );

    this.registerOutputs({});
  }
}
