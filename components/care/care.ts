import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { Job } from "../job.ts";
import { Program } from "../program.ts";
import { type BlobFiles, dataFolder } from "../registry/storage/storage.ts";
import { registryUser } from "../registry/user.ts";
import { defaultLimits } from "./keeper/levels.ts";
import { type KeeperSettings, renderSettings } from "./keeper/settings.ts";

/** How the data is looked after. Times are in hours. */
export interface CareSettings {
  /** When it is collected, in UTC: `03:30`, `Sun 03:30`. Default: only if somebody asks for it. */
  readonly collect?: string | undefined;
  /** How long what no manifest needs is left where it is: longer than any push takes. */
  readonly grace: number;
  /** How long what went can be put back. */
  readonly undo: number;
  /** From how much of the disk used, in percent, the log says so and the trash is emptied. */
  readonly warning: number;
  /** From how much of the disk used, in percent, new pushes are refused. */
  readonly stop: number;
}

export interface CareArgs {
  readonly settings: CareSettings;
  /** The reference of the image with Node, with an exact version or a digest. A change replaces the container. */
  readonly image: string;
  /** The private network. */
  readonly network: pulumi.Input<string>;
  /** Where the registry's data is on the host: a volume or a folder. */
  readonly data: BlobFiles;
  /** Whatever makes the proxy live: an earlier one would pass on what the keeper has condemned. */
  readonly live: pulumi.Input<pulumi.Resource>;
}

const folder = join(import.meta.dirname, "keeper");
const files = Object.fromEntries(
  readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), "utf8")] as const),
);

/**
 * Looks after the registry's data while it serves: the keeper, which runs this project's own program as the data's user
 * and reaches nothing outside. A change replaces its container and cuts nothing.
 */
export class Care extends pulumi.ComponentResource {
  constructor(
    name: string,
    args: CareArgs,
    opts: pulumi.ComponentResourceOptions & { readonly parent: pulumi.Resource },
  ) {
    super("privateregistry:index:Care", name, {}, opts);
    const parent = { parent: this };
    const { settings, network, data } = args;

    const image = new docker.RemoteImage(`${name}-image`, { name: args.image, keepLocally: true }, parent).imageId;
    const program = new Program(
      name,
      {
        failure: "the keeper's program could not be put into its volume",
        image,
        user: registryUser,
        at: "/etc/keeper",
        files: { ...files, ...renderSettings(keeperSettings(settings)), "package.json": '{ "type": "module" }' },
      },
      parent,
    );
    new Job(
      `${name}-keeper`,
      {
        role: "keeper",
        image,
        user: registryUser,
        // What a collection reads is short-lived; with more room for that, it takes a quarter more memory.
        command: ["node", "--max-semi-space-size=1", pulumi.interpolate`${program.folder}/keeper.ts`, program.folder],
        envs: [pulumi.interpolate`PROGRAM=${program.folder}`],
        volumes: [program.volume, { ...data, containerPath: dataFolder, readOnly: false }],
        network,
        health: "find /tmp/alive -mmin -5 | grep -q . || { echo 'it has not looked for 5 minutes'; exit 1; }",
        limits: { memory: 512, processes: 256 },
      },
      { parent: this, dependsOn: [program.placed, args.live] },
    );
    this.registerOutputs({});
  }
}

function keeperSettings({ collect, grace, undo, warning, stop }: CareSettings): KeeperSettings {
  const hour = 3600;
  const levels = { ...defaultLimits, warning, stop };
  return { root: dataFolder, collect, grace: grace * hour, undo: undo * hour, levels };
}
