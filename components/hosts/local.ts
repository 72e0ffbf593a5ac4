import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import type { DockerHost } from "./dockerHost.ts";
import type { Engine } from "./engine.ts";

export interface LocalDockerHostArgs {
  /** The Docker engine, as `findEngine` found it. */
  readonly engine: Engine;
  /** The absolute path of the data folder on the engine's machine. Default: a named volume. */
  readonly dataPath?: string | undefined;
}

/** An existing Docker engine: the local one, a Docker context, a docker-machine. It creates no machine. */
export class LocalDockerHost extends pulumi.ComponentResource implements DockerHost {
  readonly provider: docker.Provider;
  readonly address: pulumi.Output<string>;
  readonly dataPath: string | undefined;

  constructor(name: string, args: LocalDockerHostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:LocalDockerHost", name, {}, opts);

    const { host, certPath } = args.engine;
    this.provider = new docker.Provider(
      `${name}-docker`,
      { host, ...(certPath === undefined ? {} : { certPath }) },
      { parent: this },
    );
    this.address = pulumi.output(args.engine.address);
    this.dataPath = args.dataPath;

    this.registerOutputs({ address: this.address });
  }
}
