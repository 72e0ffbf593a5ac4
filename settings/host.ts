import { configCommand } from "../components/commands.ts";
import type { OpenPorts } from "../components/endpoint.ts";
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

/** Where the registry runs. A change of target starts an empty registry in the new place; no data is moved. */
export type HostSettings =
  | {
      readonly target: "local";
      readonly engine: Engine;
      /** An absolute path on the engine's machine. Default: a named volume. */
      readonly dataPath?: string | undefined;
    }
  | ({ readonly target: "ssh" } & SshDockerHostArgs)
  | ({ readonly target: "digitalocean" } & DigitalOceanSettings)
  | ({ readonly target: "aws" } & AwsSettings);

/** The settings of a machine in any cloud. Its ports follow from other settings. */
type MachineSettings = Omit<CloudMachineArgs, keyof OpenPorts>;

export interface DigitalOceanSettings extends MachineSettings {
  /** `fra1`. Disk and address can't move between regions, so a change is refused while a data disk exists. */
  readonly region: string;
  /** `s-1vcpu-2gb`. A change switches the Droplet off to resize it, which interrupts transfers. */
  readonly size: string;
  /** `ubuntu-24-04-x64`: a Debian or Ubuntu. A change replaces the Droplet. */
  readonly image: string;
}

export interface AwsSettings extends MachineSettings {
  /** `t3.small`; the disks of the type must be NVMe devices. A change stops the instance. */
  readonly size: string;
  /**
   * A Debian or Ubuntu image: an AMI, `ami-…`, or the name of an SSM parameter that holds one. The parameter is looked
   * up once for each generation. A change replaces the instance.
   */
  readonly image: string;
  /** `subnet-…`. Default: the first of the default VPC in a zone with `size`. Its zone is fixed while a disk exists. */
  readonly subnet?: string | undefined;
  /** Whether the instance gets an IPv6 address; the subnet must support that. A change goes live. */
  readonly ipv6: boolean;
}

export type Target = HostSettings["target"];

/** The existing engine; undefined if the machine doesn't exist yet or if the engine's address is wrong. */
export function engineOf(host: HostSettings | undefined): Engine | undefined {
  return host !== undefined && "engine" in host && host.engine.address !== "" ? host.engine : undefined;
}

/** @param dataPath Undefined if it is not set or wrong. */
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

/** Reports settings that have no meaning with the target. */
export function checkMeaning(target: Target, raw: RawSettings, problems: Problems): void {
  if (target === "local" && raw["host"] !== undefined) {
    const cure = `${configCommand("rm", "host")}, or ${configCommand("set", "target", "digitalocean")}`;
    problems.add("host", "describes a machine, and the target local has none", cure);
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
