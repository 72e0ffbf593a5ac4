import { configCommand } from "../components/commands.ts";
import { type Engine, EngineNotFound, findEngine } from "../components/hosts/engine.ts";
import type { CloudMachineArgs } from "../components/hosts/machine/machine.ts";
import type { SshDockerHostArgs } from "../components/hosts/ssh.ts";
import { pinnedOptions } from "../components/hosts/sshClient.ts";
import type { RawSettings } from "./configuration.ts";
import type { Environment } from "./environment.ts";
import { readJson } from "./json.ts";
import { networks } from "./networks.ts";
import type { Problems } from "./problems.ts";
import { hosts } from "./schema.ts";
import { readShape } from "./shape.ts";

/** Where the registry runs. A change of target starts an empty registry elsewhere; nothing is moved. */
export type HostSettings =
  | {
      readonly target: "local";
      readonly engine: Engine;
      /** An absolute folder of the engine's machine. Default: a named volume. */
      readonly dataPath?: string | undefined;
    }
  | ({ readonly target: "ssh" } & SshDockerHostArgs)
  | ({ readonly target: "digitalocean" } & DigitalOceanSettings)
  | ({ readonly target: "aws" } & AwsSettings);

/** What a machine in any cloud has; its ports follow from other settings. */
type MachineSettings = Omit<CloudMachineArgs, "ports">;

export interface DigitalOceanSettings extends MachineSettings {
  /** `fra1`. A change would move disk and address, which can't move: it is refused while there is a data disk. */
  readonly region: string;
  /** `s-1vcpu-2gb`. A change resizes the Droplet, which is switched off for it: transfers are cut. */
  readonly size: string;
  /** `ubuntu-24-04-x64`: a Debian or Ubuntu. A change replaces the Droplet. */
  readonly image: string;
}

export interface AwsSettings extends MachineSettings {
  /** `t3.small`; of a generation whose disks are NVMe devices. A change stops the instance for it. */
  readonly size: string;
  /**
   * An AMI, `ami-…`, or the name of an SSM parameter that holds one, of a Debian or Ubuntu. What the parameter holds is
   * looked up for each generation, and kept until the next. A change replaces the instance.
   */
  readonly image: string;
  /** `subnet-…`. Default: the first one of the default VPC in a zone that has `size`. It can't change while there is a data disk. */
  readonly subnet?: string | undefined;
  /** Whether the instance gets an IPv6 address, which the subnet must have. A change goes live. */
  readonly ipv6: boolean;
}

export type Target = HostSettings["target"];

/** The engine that exists already; undefined where a machine is only to be made, or where its address is wrong. */
export function engineOf(host: HostSettings | undefined): Engine | undefined {
  return host !== undefined && "engine" in host && host.engine.address !== "" ? host.engine : undefined;
}

/** @param dataPath Undefined where none is set, or where it is wrong. */
export function readHost(
  target: Target,
  raw: RawSettings,
  dataPath: string | undefined,
  environment: Environment,
  problems: Problems,
): HostSettings | undefined {
  const json = raw["host"] === undefined ? {} : readJson(raw["host"]);
  switch (target) {
    case "local": {
      const engine = readEngine(raw, environment, problems);
      return engine && { target, engine, dataPath };
    }
    case "ssh":
      return { target, ...readSsh(json, problems), dataPath };
    case "digitalocean": {
      const { region = "", size = "", image = "", ...machine } = readShape(hosts[target], json, "host", problems) ?? {};
      return { target, region, size, image, ...readMachine(machine) };
    }
    case "aws": {
      const given = readShape(hosts[target], json, "host", problems) ?? {};
      const { size = "", image = "", subnet, ipv6 = false, ...machine } = given;
      return { target, size, image, subnet, ipv6, ...readMachine(machine) };
    }
    default:
      return target satisfies never;
  }
}

type Networks = readonly (string | undefined)[];

interface GivenMachine {
  readonly sshFrom?: Networks | undefined;
  readonly registryFrom?: Networks | undefined;
  readonly dataSize?: number | undefined;
  readonly generation?: number | undefined;
}

function readMachine({ sshFrom = [], registryFrom = [], dataSize = 0, generation = 0 }: GivenMachine) {
  return { dataSize, sshFrom: networks(sshFrom), registryFrom: networks(registryFrom), generation };
}

function readSsh(json: unknown, problems: Problems): SshDockerHostArgs {
  const given = readShape(hosts.ssh, json, "host", problems) ?? {};
  const { address = "", user = "", port = 22, hostKey = "", keyFile } = given;
  return {
    engine: {
      host: `ssh://${user}@${address}${port === 22 ? "" : `:${String(port)}`}`,
      address,
      foundBy: "host.address",
      setting: "host.address",
      sshOptions: pinnedOptions(hostKey, keyFile),
    },
  };
}

function readEngine(
  { dockerHost = "", dockerContext = "", dockerMachine = "" }: RawSettings,
  { env, home }: Environment,
  problems: Problems,
): Engine | undefined {
  try {
    return findEngine({ dockerHost, dockerContext, dockerMachine }, env, home);
  } catch (error) {
    if (!(error instanceof EngineNotFound)) throw error;
    return problems.add(error.setting, error.message, error.cure);
  }
}

/** What a target has no use for. */
export function checkMeaning(target: Target, raw: RawSettings, problems: Problems): void {
  if (target === "local" && raw["host"] !== undefined) {
    const cure = `${configCommand("rm", "host")}, or ${configCommand("set", "target", "digitalocean")}`;
    problems.add("host", "is about a machine, and the target local has none of its own", cure);
  }
  for (const key of meaningless[target])
    if ((raw[key] ?? "") !== "")
      problems.add(key, `has no meaning with the target ${target}`, configCommand("rm", key));
}

const engines = ["dockerHost", "dockerContext", "dockerMachine"];
const meaningless: Readonly<Record<Target, readonly string[]>> = {
  local: [],
  ssh: engines,
  digitalocean: [...engines, "dataPath"],
  aws: [...engines, "dataPath"],
};
