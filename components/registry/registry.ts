import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import { hardened } from "../hardening.ts";
import { OneShot } from "../oneShot.ts";
import { renderRegistryConfig } from "./config.ts";

export interface RegistryArgs {
  /** The image reference, with an exact version or a digest. A change replaces the container, not the data. */
  readonly image: string;
  /** The private network, the only one that the registry is on. */
  readonly network: pulumi.Input<string>;
  /** An absolute folder of the machine for the data. Default: the volume. A change starts with what is there. */
  readonly dataPath?: string | undefined;
  /** The name of the data volume, where no `dataPath` is set. */
  readonly dataVolumeName: string;
  /** Whether manifests and blobs can be deleted. A change replaces the container. */
  readonly deletion: boolean;
}

/** Where the data is on the machine, for a container to mount. */
export type DataVolume = { readonly volumeName: pulumi.Output<string> } | { readonly hostPath: string };

const port = 5000;

/** A folder that the image doesn't have: an empty volume would take the owner of one that it has. */
const dataFolder = "/data";
const configFolder = "/etc/registry";

/** Whoever is in this group may read the data; nobody else of the machine may. No usual system has this id. */
export const dataGroup = "65532";

/** An unprivileged id that no account of the usual systems has. */
const user = `65532:${dataGroup}`;

/**
 * Refuses a folder whose files are somebody else's, before they are given away. One with a registry's data that has its
 * owner already is ours, and so is what another registry left; a disk of its own has `lost+found`.
 */
const refuseForeign = `set -e
cd ${dataFolder}
[ ! -d docker/registry/v2 ] || [ "$(stat -c %u:%g .)" != ${user} ] || exit 0
foreign=$(ls -A | grep -vxE 'docker|lost\\+found' || true)
[ ! -e docker ] || [ "$(ls -A docker):$(ls -A docker/registry)" = registry:v2 ] || foreign="docker $foreign"
[ -n "$foreign" ] || exit 0
echo "it holds other files: $(echo "$foreign" | head -n 3 | tr '\\n' ' ')"
echo "Nothing in it was changed. Name an empty folder, or one with the data of a registry, by the setting dataPath."
exit 1`;

/** The data's folder itself gets its owner last, so that a run cut short is taken up again. */
const giveToUser = `set -e
chown ${user} ${configFolder}/config.yml
if [ "$(stat -c %u:%g:%a ${dataFolder})" != ${user}:750 ]; then
  chown 0:0 ${dataFolder}
  chmod 0750 ${dataFolder}
  find ${dataFolder} -depth -exec chown -h ${user} {} +
fi`;

/** The registry container, its data volume and its configuration. It publishes no port. */
export class Registry extends pulumi.ComponentResource {
  /** Where the proxy reaches it on the private network: `host:port`. */
  readonly address: pulumi.Output<string>;
  /** The registry's data, for the proxy to read blobs from. */
  readonly data: DataVolume;

  constructor(name: string, args: RegistryArgs, opts?: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:Registry", name, {}, opts);
    const parent = { parent: this };

    // Other containers of the machine may use the same image: taking it down isn't ours.
    const image = new docker.RemoteImage(`${name}-image`, { name: args.image, keepLocally: true }, parent);
    this.data =
      args.dataPath === undefined ? this.createVolume(name, args.dataVolumeName) : { hostPath: args.dataPath };

    const config = new docker.Volume(`${name}-config`, { name: `${name}-config` }, parent);
    const configVolume = { volumeName: config.name, containerPath: configFolder, readOnly: false };
    const dataVolume = { ...this.data, containerPath: dataFolder, readOnly: false };
    const httpSecret = new random.RandomPassword(`${name}-http-secret`, { length: 48, special: false }, parent);

    const usable =
      args.dataPath === undefined
        ? undefined
        : new OneShot(
            `${name}-data-check`,
            {
              failure: `the folder ${args.dataPath} can't be used for the data`,
              image: image.imageId,
              user: "0:0",
              capabilities: ["CAP_DAC_READ_SEARCH"],
              command: ["-c", refuseForeign],
              volumes: [{ ...dataVolume, readOnly: true }],
            },
            parent,
          ).succeeded;

    // A container with a read-only root file system takes no upload, not even into a volume: another one does it.
    const setup = new OneShot(
      `${name}-setup`,
      {
        failure: "the registry's volumes could not be set up",
        image: image.imageId,
        user: "0:0",
        capabilities: ["CAP_CHOWN", "CAP_DAC_READ_SEARCH"],
        command: ["-c", giveToUser],
        volumes: [configVolume, dataVolume],
        uploads: [
          {
            file: `${configFolder}/config.yml`,
            content: httpSecret.result.apply((secret) =>
              renderRegistryConfig({ port, rootDirectory: dataFolder, deletion: args.deletion, httpSecret: secret }),
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
        // Twice what the program may take: what it writes is kept in memory for a while, within the same limit.
        ...hardened({ memory: 2048, processes: 1024 }),
        name,
        image: image.imageId,
        user,
        readOnly: true,
        entrypoints: ["registry"],
        command: ["serve", `${configFolder}/config.yml`],
        // Nothing is traced; memory is spent rather than the time to collect it.
        envs: ["OTEL_TRACES_EXPORTER=none", "OTEL_TRACES_SAMPLER=always_off", "GOGC=400", "GOMEMLIMIT=1GiB"],
        volumes: [{ ...configVolume, readOnly: true }, dataVolume],
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
        // Time for running pushes to end.
        destroyGraceSeconds: 30,
      },
      // A new configuration is read at the start only; a running container can't be given another health check.
      {
        parent: this,
        dependsOn: setup.succeeded,
        replaceWith: [setup.container],
        replaceOnChanges: ["healthcheck"],
        // Two containers can't have one name.
        deleteBeforeReplace: true,
      },
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
