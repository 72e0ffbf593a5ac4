import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { inNewShell } from "./commands.ts";
import { hardened } from "./hardening.ts";
import { UserError } from "./userError.ts";

export interface OneShotArgs {
  /** What it is for, as it reads in an error: "the new proxy configuration was not taken up". */
  readonly failure: string;
  readonly image: pulumi.Input<string>;
  /** Numeric `uid:gid`. */
  readonly user: string;
  readonly command: string[];
  /** Capabilities that it needs beside none, as the engine writes them: `CAP_CHOWN`. */
  readonly capabilities?: string[];
  readonly volumes: docker.ContainerArgs["volumes"];
  readonly uploads?: docker.ContainerArgs["uploads"];
  /** The container whose processes and network it shares: `container:ID`. Default: none of either. */
  readonly joins?: pulumi.Input<string>;
}

/**
 * A container that runs one command to its end. A command that fails fails the `up`, with what it printed.
 * It runs again when anything of its args changes; the ended container stays until then, for its log.
 */
export class OneShot extends pulumi.ComponentResource {
  /** The container, for what must be made anew when the command runs again. */
  readonly container: docker.Container;
  /** The same, once the command has succeeded: for what must not be made otherwise. */
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
        // Two containers can't have one name, and the provider minds that only where an input changed.
        deleteBeforeReplace: true,
      },
    );

    // The provider takes any exit code for success.
    const { exitCode, containerLogs, urn } = this.container;
    this.succeeded = pulumi.all([exitCode, containerLogs, urn]).apply(([code, logs, id]) => {
      if (code === 0) return this.container;
      throw new UserError(
        `${args.failure}:\n${reasonOf(code, logs)}\n` +
          `Fix that, then: make up STACK=${pulumi.getStack()}, which also tries the same once more. ` +
          `By hand: pulumi up --replace '${id}'. ${inNewShell(pulumi.getStack())}`,
      );
    });

    this.registerOutputs({});
  }
}

/** The provider gives neither where the engine could not start the container: the run that tried said why. */
function reasonOf(exitCode: number | null, logs: string | null): string {
  const said = logs?.trim() ?? "";
  if (said !== "") return said;
  return typeof exitCode === "number" ? `exit code ${String(exitCode)}` : "it was not started";
}
