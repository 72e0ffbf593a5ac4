import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import { hardened } from "../hardening.ts";
import { OneShot } from "../oneShot.ts";
import { renderRegistryConfig } from "./config.ts";
import type { BlobFiles, StorageOf } from "./storage/storage.ts";
import { registryUser } from "./user.ts";

export interface RegistryArgs {
  /** The image reference, with an exact version or a digest. A change replaces the container, not the data. */
  readonly image: string;
  /** The private network, the only one that the registry joins. */
  readonly network: pulumi.Input<string>;
  /** Where it stores the pushed images. */
  readonly storage: StorageOf;
  /** Whether manifests and blobs can be deleted. A change replaces the container. */
  readonly deletion: boolean;
}

const port = 5000;

const configFolder = "/etc/registry";

/** The registry container, its data volume and its configuration. It publishes no port. */
export class Registry extends pulumi.ComponentResource {
  /** Where the proxy reaches it on the private network: `host:port`. */
  readonly address: pulumi.Output<string>;
  /** The blob files, for the proxy to serve. */
  readonly blobs: BlobFiles;

  constructor(name: string, args: RegistryArgs, opts?: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:Registry", name, {}, opts);
    const parent = { parent: this };

    // Other containers on the machine may use the same image, so it is not removed.
    const image = new docker.RemoteImage(`${name}-image`, { name: args.image, keepLocally: true }, parent);
    const storage = args.storage(name, this);
    this.blobs = storage.blobs;

    const config = new docker.Volume(`${name}-config`, { name: `${name}-config` }, parent);
    const configVolume = { volumeName: config.name, containerPath: configFolder, readOnly: false };
    const httpSecret = new random.RandomPassword(`${name}-http-secret`, { length: 48, special: false }, parent);

    const usable =
      storage.check === undefined
        ? undefined
        : new OneShot(
            `${name}-data-check`,
            {
              failure: storage.check.failure,
              image: image.imageId,
              user: "0:0",
              capabilities: ["CAP_DAC_READ_SEARCH"],
              command: ["-c", storage.check.script],
              volumes: storage.volumes.map((volume) => ({ ...volume, readOnly: true })),
            },
            parent,
          ).succeeded;

    // Docker can't upload files to a container with a read-only root, not even into a volume: another one does it.
    const setup = new OneShot(
      `${name}-setup`,
      {
        failure: "the registry's volumes could not be set up",
        image: image.imageId,
        user: "0:0",
        capabilities: ["CAP_CHOWN", "CAP_DAC_READ_SEARCH"],
        command: ["-c", `set -e\nchown ${registryUser} ${configFolder}/config.yml\n${storage.setup}`],
        volumes: [configVolume, ...storage.volumes],
        uploads: [
          {
            file: `${configFolder}/config.yml`,
            content: httpSecret.result.apply((secret) =>
              renderRegistryConfig({ port, storage: storage.driver, deletion: args.deletion, httpSecret: secret }),
            ),
            permissions: "0400",
          },
        ],
      },
      { parent: this, ...(usable && { dependsOn: usable }) },
    );

    const container = new docker.Container(
      `${name}-container`,
      {
        // Twice the memory limit of the program: the page cache of its writes counts towards the same limit.
        ...hardened({ memory: 2048, processes: 1024 }),
        name,
        image: image.imageId,
        user: registryUser,
        readOnly: true,
        entrypoints: ["registry"],
        command: ["serve", `${configFolder}/config.yml`],
        // No tracing; more memory is used to spend less time on garbage collection.
        envs: ["OTEL_TRACES_EXPORTER=none", "OTEL_TRACES_SAMPLER=always_off", "GOGC=400", "GOMEMLIMIT=1GiB"],
        volumes: [{ ...configVolume, readOnly: true }, ...storage.volumes],
        networkMode: args.network,
        restart: "unless-stopped",
        healthcheck: {
          tests: ["CMD", "wget", "-q", "-O", "/dev/null", `http://127.0.0.1:${String(port)}/`],
          interval: "5s",
          timeout: "5s",
          startPeriod: "30s",
          retries: 3,
        },
        wait: true,
        waitTimeout: 60,
        // Running pushes have time to finish.
        destroyGraceSeconds: 30,
      },
      // The registry reads its configuration only at start, and Docker can't change the health check of a container.
      {
        parent: this,
        dependsOn: setup.succeeded,
        replaceWith: [setup.container],
        replaceOnChanges: ["healthcheck"],
        // Two containers can't have the same name.
        deleteBeforeReplace: true,
      },
    );

    this.address = pulumi.interpolate`${container.name}:${String(port)}`;
    this.registerOutputs({ address: this.address });
  }
}
