import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import { shortDigest } from "../digest.ts";
import { hardened } from "../hardening.ts";
import { inRole, replicas } from "../labels.ts";
import { OneShot } from "../oneShot.ts";
import { renderRegistryConfig } from "./config.ts";
import type { BlobFiles, StorageOf } from "./storage/storage.ts";
import { registryUser } from "./user.ts";

export interface RegistryArgs {
  /** The image reference, with an exact version or a digest. A change replaces the containers, not the data. */
  readonly image: string;
  /** The private network, the only one that the registry joins. */
  readonly network: pulumi.Input<string>;
  /** Where it stores the pushed images. */
  readonly storage: StorageOf;
  /** Whether manifests and blobs can be deleted. A change replaces the containers. */
  readonly deletion: boolean;
  /** How long a replaced container may finish its requests, in seconds. A change replaces the containers. */
  readonly drainTimeout: number;
}

const port = 5000;

const configFolder = "/etc/registry";

/** Removes all but the latest configurations. */
const forgetOld = `ls -1td ${configFolder}/* | tail -n +10 | xargs -r rm -rf`;

/** The registry's containers, their data volume and their configuration. They publish no port. */
export class Registry extends pulumi.ComponentResource {
  /** Where the proxy reaches each container on the private network: `host:port`. */
  readonly addresses: pulumi.Output<string>[];
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

    const content = httpSecret.result.apply((secret) =>
      renderRegistryConfig({
        port,
        storage: storage.driver,
        deletion: args.deletion,
        drainTimeout: args.drainTimeout,
        httpSecret: secret,
      }),
    );
    // A registry reads it only at start. A container that is about to be replaced may restart, so it keeps its own.
    const configFile = pulumi.unsecret(content).apply((text) => `${configFolder}/${shortDigest(text)}/config.yml`);

    // Docker can't upload files to a container with a read-only root, not even into a volume: another one does it.
    const setup = new OneShot(
      `${name}-setup`,
      {
        failure: "the registry's volumes could not be set up",
        image: image.imageId,
        user: "0:0",
        capabilities: ["CAP_CHOWN", "CAP_DAC_READ_SEARCH"],
        command: [
          "-c",
          pulumi.interpolate`set -e\nchown ${registryUser} ${configFile}\n${forgetOld}\n${storage.setup}`,
        ],
        volumes: [configVolume, ...storage.volumes],
        uploads: [{ file: configFile, content, permissions: "0400" }],
      },
      { parent: this, ...(usable && { dependsOn: usable }) },
    );

    const create = (replica: number, previous?: docker.Container) =>
      new docker.Container(
        `${name}-container-${String(replica)}`,
        {
          // Twice the memory limit of the program: the page cache of its writes counts towards the same limit.
          ...hardened({ memory: 1024, processes: 1024 }),
          ...inRole("registry"),
          image: image.imageId,
          user: registryUser,
          readOnly: true,
          entrypoints: ["registry"],
          command: ["serve", configFile],
          // No tracing; more memory is used to spend less time on garbage collection.
          envs: ["OTEL_TRACES_EXPORTER=none", "OTEL_TRACES_SAMPLER=always_off", "GOGC=400", "GOMEMLIMIT=512MiB"],
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
          stopTimeout: args.drainTimeout + 10,
          destroyGraceSeconds: args.drainTimeout + 10,
        },
        {
          parent: this,
          dependsOn: [setup.succeeded, ...(previous ? [previous] : [])],
          // Docker can't change the health check of a container.
          replaceOnChanges: ["healthcheck"],
          // The proxy switches to the new one while the old one still answers. So neither has a fixed name.
          deleteBeforeReplace: false,
        },
      );
    const containers = Array.from({ length: replicas.registry }).reduce<docker.Container[]>(
      (made) => [...made, create(made.length + 1, made.at(-1))],
      [],
    );

    this.addresses = containers.map((container) => pulumi.interpolate`${container.name}:${String(port)}`);
    this.registerOutputs({ addresses: this.addresses });
  }
}
