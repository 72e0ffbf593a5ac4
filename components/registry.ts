import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import { hardened } from "./hardening.js";
import { OneShot } from "./oneShot.js";
import { renderRegistryConfig } from "./templates/registryConfig.js";

export interface RegistryArgs {
  /** The image reference, with an exact version or a digest. A change replaces the container, not the data. */
  readonly image: string;
  /** The private network, the only one that the registry is on. */
  readonly network: pulumi.Input<string>;
  /** An absolute folder of the machine for the data. Default: the volume. A change starts with what is there. */
  readonly dataPath?: string | undefined;
  /** The name of the data volume, where no `dataPath` is set. */
  readonly dataVolumeName: string;
}

const port = 5000;
const dataFolder = "/var/lib/registry";
const configFolder = "/etc/registry";

/** An unprivileged id that no account of the usual systems has. */
const uid = 65532;
const user = `${String(uid)}:${String(uid)}`;

/** The owner goes last to the folder itself, so that a run cut short is taken up again. */
const own = `[ "$(stat -c %u:%g ${dataFolder})" = ${user} ] || find ${dataFolder} -depth -exec chown -h ${user} {} +`;

/** The registry container, its data volume and its configuration. It publishes no port. */
export class Registry extends pulumi.ComponentResource {
  /** Where the proxy reaches it on the private network: `host:port`. */
  readonly address: pulumi.Output<string>;

  constructor(name: string, args: RegistryArgs, opts?: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:Registry", name, {}, opts);
    const parent = { parent: this };

    // Other containers of the machine may use the same image: taking it down isn't ours.
    const image = new docker.RemoteImage(`${name}-image`, { name: args.image, keepLocally: true }, parent);
    const data =
      args.dataPath === undefined ? this.createVolume(name, args.dataVolumeName) : { hostPath: args.dataPath };

    const owned = new OneShot(
      `${name}-data-owner`,
      {
        failure: "the registry's data folder could not be given to the registry's user",
        image: image.imageId,
        user: "0:0",
        capabilities: ["CHOWN", "DAC_READ_SEARCH"],
        command: ["-c", own],
        volumes: [{ ...data, containerPath: dataFolder }],
      },
      parent,
    );

    const httpSecret = new random.RandomPassword(`${name}-http-secret`, { length: 48, special: false }, parent);
    const config = new docker.Volume(`${name}-config`, { name: `${name}-config` }, parent);
    const container = new docker.Container(
      `${name}-container`,
      {
        ...hardened({ memory: 1024, processes: 1024 }),
        name,
        image: image.imageId,
        user,
        readOnly: true,
        entrypoints: ["registry"],
        command: ["serve", `${configFolder}/config.yml`],
        // A mounted volume takes an upload; the read-only root file system doesn't.
        uploads: [
          {
            file: `${configFolder}/config.yml`,
            content: httpSecret.result.apply((secret) =>
              renderRegistryConfig({ port, rootDirectory: dataFolder, httpSecret: secret }),
            ),
            owner: String(uid),
            group: String(uid),
            permissions: "0400",
          },
        ],
        envs: ["OTEL_TRACES_EXPORTER=none"],
        volumes: [
          { volumeName: config.name, containerPath: configFolder },
          { ...data, containerPath: dataFolder },
        ],
        networkMode: args.network,
        restart: "unless-stopped",
        healthcheck: {
          tests: ["CMD", "wget", "-q", "-O", "/dev/null", `http://127.0.0.1:${String(port)}/`],
          interval: "10s",
          timeout: "5s",
          startPeriod: "30s",
          retries: 3,
        },
        wait: true,
        waitTimeout: 60,
        // Time for running pushes to end.
        destroyGraceSeconds: 30,
      },
      { parent: this, dependsOn: [owned], additionalSecretOutputs: ["uploads"] },
    );

    this.address = pulumi.interpolate`${container.name}:${String(port)}`;
    this.registerOutputs({ address: this.address });
  }

  /** `destroy` leaves the volume alone, and the next `up` takes it again. */
  private createVolume(name: string, volumeName: string) {
    return {
      volumeName: new docker.Volume(`${name}-data`, { name: volumeName }, { parent: this, retainOnDelete: true }).name,
    };
  }
}
