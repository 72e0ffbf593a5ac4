import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import type { DockerHost } from "./dockerHost.ts";
import type { Engine } from "./engine.ts";

export interface SshDockerHostArgs {
  /** The machine's engine, with the options that make OpenSSH refuse any other machine. */
  readonly engine: Engine & { readonly sshOptions: readonly string[] };
  /** The absolute path of the data folder on the machine. Default: a named volume. */
  readonly dataPath?: string | undefined;
}

/** The user's own machine with Docker, reached over SSH and verified by its host key. It creates no machine. */
export class SshDockerHost extends pulumi.ComponentResource implements DockerHost {
  readonly provider: docker.Provider;
  readonly address: pulumi.Output<string>;
  readonly dataPath: string | undefined;

  constructor(name: string, args: SshDockerHostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:SshDockerHost", name, {}, opts);

    const { host, address, sshOptions } = args.engine;
    this.provider = new docker.Provider(`${name}-docker`, { host, sshOpts: [...sshOptions] }, { parent: this });
    this.address = pulumi.output(address);
    this.dataPath = args.dataPath;

    this.registerOutputs({ address: this.address });
  }
}
