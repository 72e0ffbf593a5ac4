import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { inNewShell } from "./commands.ts";
import { hardened } from "./hardening.ts";
import { UserError } from "./userError.ts";

export interface OneShotArgs {
  /** The beginning of the error message: "the proxy's new configuration did not go live". */
  readonly failure: string;
  readonly image: pulumi.Input<string>;
  /** Numeric `uid:gid`. */
  readonly user: string;
  readonly command: pulumi.Input<string>[];
  /** Capabilities that it needs, in the engine's notation: `CAP_CHOWN`. Default: none. */
  readonly capabilities?: string[];
  readonly volumes: docker.ContainerArgs["volumes"];
  readonly uploads?: docker.ContainerArgs["uploads"];
  /** The container whose processes and network it shares: `container:ID`. Default: none. */
  readonly joins?: pulumi.Input<string>;
}

/**
 * A container that runs one command to completion. If the command fails, the `up` fails with its output. The command
 * runs again when one of its args changes; until then the exited container stays, for its log.
 */
export class OneShot extends pulumi.ComponentResource {
  /** The container, for resources that must be replaced when the command runs again. */
  readonly container: docker.Container;
  /** The container once the command has succeeded, for resources that must wait for that. */
  readonly succeeded: pulumi.Output<docker.Container>;

  constructor(name: string, args: OneShotArgs, opts?: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:OneShot", name, {}, opts);

    this.container = new docker.Container(
      `${name}-run`,
      {
        ...hardened({ memory: 128, processes: 128 }),
        name,
        image: args.image,
        user: args.user,
        entrypoints: ["/bin/sh"],
        command: args.command,
        ...(args.capabilities && { capabilities: { drops: ["ALL"], adds: args.capabilities } }),
        ...(args.uploads && { uploads: args.uploads }),
        volumes: args.volumes,
        networkMode: args.joins ?? "none",
        ...(args.joins !== undefined && { pidMode: args.joins }),
        restart: "no",
        mustRun: false,
        attach: true,
        logs: true,
      },
      {
        parent: this,
        // Pulumi does not pass a component's dependsOn to its children.
        ...(opts?.dependsOn && { dependsOn: opts.dependsOn }),
        additionalSecretOutputs: ["uploads"],
        // Two containers can't have the same name, and the provider considers that only if an input changed.
        deleteBeforeReplace: true,
      },
    );

    // The provider treats any exit code as success.
    const { exitCode, containerLogs, urn } = this.container;
    this.succeeded = pulumi.all([exitCode, containerLogs, urn]).apply(([code, logs, id]) => {
      if (code === 0) return this.container;
      throw new UserError(
        `${args.failure}:\n${reasonOf(code, logs)}\n` +
          `Fix it and run: make up STACK=${pulumi.getStack()}, which also retries a command that failed. ` +
          `By hand: pulumi up --replace '${id}'. ${inNewShell(pulumi.getStack())}`,
      );
    });

    this.registerOutputs({});
  }
}

/** The provider has neither if the engine could not start the container. The run that tried reported why. */
function reasonOf(exitCode: number | null, logs: string | null): string {
  const said = logs?.trim() ?? "";
  if (said !== "") return said;
  return typeof exitCode === "number" ? `exit code ${String(exitCode)}` : "it was not started";
}
