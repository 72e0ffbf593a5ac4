import { createHash } from "node:crypto";

import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";

import type { OpenPorts } from "../../endpoint.ts";
import type { MachineLogin } from "../dockerHost.ts";
import { pinnedOptions, writeKeyFile } from "../sshClient.ts";
import { renderCloudInit } from "./cloudInit.ts";
import type { HostKeyStep, PrepareStep, StepName, Verb } from "./steps.ts";

/** The user who signs in to a machine that this project created. */
const user = "deploy";

/** The mount point of the data disk, and the folders on it: the registry's, and that of accounts and certificates. */
const mountPoint = "/srv/registry";
export const machineDataPath = `${mountPoint}/data`;
export const machineAccountsPath = `${mountPoint}/acme`;

/** The args of a machine in any cloud. */
export interface CloudMachineArgs extends OpenPorts {
  /** The size of the data disk, GiB. It can grow but not shrink. A change goes live. */
  readonly dataSize: number;
  /** Who may connect by SSH: networks in CIDR notation, at least one. A change goes live. */
  readonly sshFrom: readonly string[];
  /** Who may connect to `ports`, in the same notation. A change goes live. */
  readonly registryFrom: readonly string[];
  /** A change replaces the machine; disk and address stay. The registry is down for some minutes. */
  readonly generation: number;
  /** The image that the machine boots, in the cloud's notation. A change replaces the machine, too. */
  readonly image: string;
}

/** Identifies a machine; another image or generation means another one. */
export function editionOf({ image, generation }: Pick<CloudMachineArgs, "image" | "generation">): string {
  return `${image} ${String(generation)}`;
}

/**
 * The keys of a machine, all in the state before the machine exists: the client's key, which stays; the host key in the
 * user data; and the host key that replaces it. No two machines share a host key.
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
   * Secret: what the cloud passes to the machine. A change replaces the machine.
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
  /** The cloud's id of the machine. */
  readonly id: pulumi.Input<string>;
  /** The address of the machine. It stays when the machine is replaced. */
  readonly address: pulumi.Input<string>;
  /** The size of its data disk, GiB. A change grows the file system. */
  readonly dataSize: number;
  /** The size of the machine. A change switches it off for a while, and it is waited for. */
  readonly size: string;
}

/**
 * A machine that has booted, has its own host key and its data disk, and whose engine answers. Make it depend on
 * everything that this requires: disk, address, firewall.
 */
export class Machine extends pulumi.ComponentResource {
  /** Connects to its engine over SSH, once the machine is ready. */
  readonly provider: docker.Provider;
  /** Depend on this to wait until the machine can run containers. */
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
        // The address comes from the prepared machine, so that users of this provider wait for it.
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

/** Loads the steps from the project at run time, so that their code is not stored in the state. */
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

/** Runs in the process of Pulumi's dynamic provider, whose working folder is that of the project. */
async function perform(verb: Verb, inputs: Inputs, before?: Inputs): Promise<void> {
  /* eslint-disable @typescript-eslint/no-require-imports */
  const path = require("node:path") as typeof import("node:path");
  const steps = require(path.resolve("components/hosts/machine/steps.ts")) as typeof import("./steps.ts");
  /* eslint-enable @typescript-eslint/no-require-imports */
  await steps.perform(inputs.step, verb, inputs, before);
}

/** A step that runs on a new machine over SSH, and again when one of its inputs changes. */
class MachineStep<T extends { readonly address: string }> extends pulumi.dynamic.Resource {
  /** The address of the machine, known once the step is done. */
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
