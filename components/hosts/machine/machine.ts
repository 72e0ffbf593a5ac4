import { createHash } from "node:crypto";

import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";

import type { MachineLogin } from "../dockerHost.ts";
import { pinnedOptions, writeKeyFile } from "../sshClient.ts";
import { renderCloudInit } from "./cloudInit.ts";
import type { HostKeyStep, PrepareStep, StepName, Verb } from "./steps.ts";

/** Who signs in to a machine that this project made. */
const user = "deploy";

/** Where its data disk is mounted, and the folder on it that the registry gets. */
const mountPoint = "/srv/registry";
export const machineDataPath = `${mountPoint}/data`;

/** What a machine in a cloud has, whichever cloud it is. */
export interface CloudMachineArgs {
  /** The size of the data disk, GiB. It can grow, not shrink. A change grows it, live. */
  readonly dataSize: number;
  /** Who may connect by SSH: networks in CIDR notation, at least one. A change goes live. */
  readonly sshFrom: readonly string[];
  /** Who may connect to the registry, likewise. A change goes live. */
  readonly registryFrom: readonly string[];
  /** The TCP ports of the registry's endpoints. A change goes live. */
  readonly ports: readonly number[];
  /** Another number makes another machine, with the same disk and address. The registry is away for some minutes. */
  readonly generation: number;
  /** What the machine boots, as its cloud calls it. A change makes another machine, too. */
  readonly image: string;
}

/** What a machine is made of: other words are about another machine. */
export function editionOf({ image, generation }: Pick<CloudMachineArgs, "image" | "generation">): string {
  return `${image} ${String(generation)}`;
}

/**
 * The keys of a machine, all of them in the state before it exists: that of the client that signs in, which stays; the
 * host key that the user data gives the machine, and the one that replaces that, which no two machines share.
 */
export class MachineKeys extends pulumi.ComponentResource {
  readonly client: tls.PrivateKey;
  readonly boot: tls.PrivateKey;
  readonly host: tls.PrivateKey;
  private readonly generation: number;

  constructor(
    name: string,
    args: Pick<CloudMachineArgs, "image" | "generation">,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("privateregistry:index:MachineKeys", name, {}, opts);
    const key = (of: string) => new tls.PrivateKey(`${name}-${of}`, { algorithm: "ED25519" }, { parent: this });
    const edition = createHash("sha256").update(editionOf(args)).digest("hex").slice(0, 8);
    this.generation = args.generation;
    this.client = key("client");
    this.boot = key(`boot-${edition}`);
    this.host = key(`host-${edition}`);
    this.registerOutputs({});
  }

  /**
   * Secret: what the cloud hands to the machine. A change replaces the machine.
   *
   * @param disk The device of the data disk.
   */
  userData(disk: pulumi.Input<string>): pulumi.Output<string> {
    return pulumi
      .all([disk, this.client.publicKeyOpenssh, this.boot.privateKeyOpenssh, this.boot.publicKeyOpenssh])
      .apply(([device, client, privateKey, publicKey]) =>
        renderCloudInit({
          user,
          authorizedKeys: [client],
          hostKey: { private: privateKey, public: publicKey },
          disk: device,
          dataFolder: mountPoint,
          generation: this.generation,
        }),
      );
  }
}

export interface MachineArgs {
  readonly keys: MachineKeys;
  /** The cloud's name for the machine; another one is another machine. */
  readonly id: pulumi.Input<string>;
  /** Where it is reached: it stays when the machine is replaced. */
  readonly address: pulumi.Input<string>;
  /** The size of its data disk, GiB. A change grows the file system. */
  readonly dataSize: number;
  /** The size of the machine; for another one it is off for a while, and waited for. */
  readonly size: string;
}

/**
 * A machine that has booted, has its own host key and its data disk, and whose engine answers. Depend it on all that
 * must be there for that: disk, address, firewall.
 */
export class Machine extends pulumi.ComponentResource {
  /** Reaches its engine, over SSH only, and only when it is ready. */
  readonly provider: docker.Provider;
  /** The fact that it is ready. */
  readonly prepared: pulumi.Resource;
  readonly login: MachineLogin;

  constructor(name: string, args: MachineArgs, opts: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:Machine", name, {}, opts);

    const { keys } = args;
    const address = pulumi.output(args.address);
    const hostKey = keys.host.publicKeyOpenssh.apply((key) => key.trim());
    const login = { machineId: args.id, address, user, privateKey: keys.client.privateKeyOpenssh };
    const replaced = new MachineStep<HostKeyStep>(
      `${name}-host-key`,
      "HostKey",
      {
        ...login,
        bootKey: keys.boot.publicKeyOpenssh.apply((key) => key.trim()),
        hostKey,
        privateHostKey: keys.host.privateKeyOpenssh,
      },
      { parent: this },
    );
    const prepared = new MachineStep<PrepareStep & Pick<MachineArgs, "dataSize" | "size">>(
      `${name}-prepared`,
      "Prepared",
      { ...login, hostKey, dataSize: args.dataSize, size: args.size },
      { parent: this, dependsOn: replaced },
    );

    const stack = pulumi.getStack();
    const keyFile = keys.client.privateKeyOpenssh.apply((key) => writeKeyFile(stack, key));
    this.provider = new docker.Provider(
      `${name}-docker`,
      {
        // Of the prepared machine: whoever uses this provider waits for it.
        host: pulumi.interpolate`ssh://${user}@${prepared.address}`,
        sshOpts: pulumi.unsecret(pulumi.all([hostKey, keyFile]).apply((both) => pinnedOptions(...both))),
      },
      { parent: this },
    );
    this.prepared = prepared;
    this.login = { address, user, hostKey, privateKey: keys.client.privateKeyOpenssh };

    this.registerOutputs({});
  }
}

type Inputs = Record<string, unknown> & { readonly step: StepName; readonly machineId: string };

type Wrapped<T> = { readonly [K in keyof T]: pulumi.Input<T[K]> };

/** Loads what is done from the project as it is now: nothing of it is kept in the state. */
const provider: pulumi.dynamic.ResourceProvider<Inputs, Inputs> = {
  async create(inputs) {
    await perform("create", inputs);
    return { id: inputs.machineId, outs: inputs };
  },
  diff: (_id, olds, news) => {
    // The text of this very provider among them: an older one could not find what it loads where that has moved since.
    const changed = Object.keys(news).filter((key) => news[key] !== olds[key]);
    // The old one lets go of its disk before anything of the machine is taken apart.
    return Promise.resolve({
      changes: changed.length > 0,
      replaces: changed.filter((key) => key === "machineId"),
      deleteBeforeReplace: true,
    });
  },
  async update(_id, olds, news) {
    await perform("update", news, olds);
    return { outs: news };
  },
  delete: (_id, olds) => perform("delete", olds),
};

/** Runs in the process of Pulumi's dynamic provider, whose working folder is the project's. */
async function perform(verb: Verb, inputs: Inputs, before?: Inputs): Promise<void> {
  /* eslint-disable @typescript-eslint/no-require-imports */
  const path = require("node:path") as typeof import("node:path");
  const steps = require(path.resolve("components/hosts/machine/steps.ts")) as typeof import("./steps.ts");
  /* eslint-enable @typescript-eslint/no-require-imports */
  await steps.perform(inputs.step, verb, inputs, before);
}

/** Something that is done on a machine over SSH when it is new, and again when one of its inputs changes. */
class MachineStep<T extends { readonly address: string }> extends pulumi.dynamic.Resource {
  /** Where the machine is reached, once the step is done. */
  declare readonly address: pulumi.Output<string>;

  constructor(
    name: string,
    step: StepName,
    inputs: Wrapped<T> & { readonly machineId: pulumi.Input<string> },
    opts: pulumi.CustomResourceOptions,
  ) {
    const secrets = { additionalSecretOutputs: ["privateKey", "privateHostKey"] };
    super(provider, name, { step, ...inputs }, { ...opts, ...secrets }, "privateregistry", step);
  }
}
