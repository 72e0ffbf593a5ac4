import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { shortDigest } from "./digest.ts";
import { OneShot } from "./oneShot.ts";

export interface ProgramArgs {
  /** The image with which its files are put into their volume. */
  readonly image: pulumi.Input<string>;
  /** Numeric `uid:gid`: who owns its files and runs it. */
  readonly user: string;
  /** Its files and settings, by their path below its folder. The texts may be secret. */
  readonly files: pulumi.Input<Readonly<Record<string, string>>>;
  /** Other volumes that its user must own. Default: none. */
  readonly owned?: (docker.types.input.ContainerVolume & { readonly containerPath: string })[];
  /** The absolute path in a container below which the folders of all its editions are. */
  readonly at: string;
  /** The beginning of the error message: "the settings of the certificate could not be put into their volume". */
  readonly failure: string;
}

/** Keeps the edition of a container that is about to be replaced. */
const place = (folder: string, all: string) => `set -eu
umask 077
if [ ! -e ${folder} ]; then
  rm -rf ${all}/new
  cp -R /incoming ${all}/new
  mv ${all}/new ${folder}
fi
touch ${folder}
ls -1td ${all}/* | tail -n +3 | xargs -r rm -rf`;

/** A program of this project in a volume, as it stands, with its settings: for containers that run beside the registry. */
export class Program extends pulumi.ComponentResource {
  /** The absolute path of its folder in a container. Another edition has another one. */
  readonly folder: pulumi.Output<string>;
  /** Where a container mounts it, to read it only. */
  readonly volume: docker.types.input.ContainerVolume;
  /** The container that has put it there. */
  readonly placed: pulumi.Output<docker.Container>;

  constructor(
    name: string,
    { image, user, files, owned = [], at, failure }: ProgramArgs,
    opts: pulumi.ComponentResourceOptions & { readonly parent: pulumi.Resource },
  ) {
    super("privateregistry:index:Program", name, {}, opts);
    // In stacks of earlier versions these resources are direct children of the parent.
    const child = { parent: this, aliases: [{ parent: opts.parent }] };

    const volume = new docker.Volume(`${name}-settings`, { name: `${name}-settings` }, child);
    const mounted = { volumeName: volume.name, containerPath: at };
    const folders = [at, ...owned.map(({ containerPath }) => containerPath)];
    const owner = new OneShot(
      `${name}-owner`,
      {
        failure,
        image,
        user: "0:0",
        capabilities: ["CAP_CHOWN"],
        command: ["-c", `chown ${user} ${folders.join(" ")}`],
        volumes: [mounted, ...owned],
      },
      child,
    );

    const texts = pulumi.output(files);
    const folder = pulumi.unsecret(texts).apply((all) => `${at}/${shortDigest(JSON.stringify(all))}`);
    this.placed = new OneShot(
      `${name}-setup`,
      {
        failure,
        image,
        user,
        command: ["-c", folder.apply((path) => place(path, at))],
        volumes: [mounted],
        uploads: texts.apply((all) =>
          Object.entries(all).map(([file, content]) => ({ file: `/incoming/${file}`, content })),
        ),
      },
      { ...child, dependsOn: owner.succeeded },
    ).succeeded;
    this.folder = folder;
    this.volume = { ...mounted, readOnly: true };
    this.registerOutputs({});
  }
}
