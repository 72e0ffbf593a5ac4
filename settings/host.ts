import { isIP } from "node:net";

import ipaddr from "ipaddr.js";

import { configCommand } from "../components/commands.ts";
import type { Engine } from "../components/hosts/engine.ts";
import type { CloudMachineArgs } from "../components/hosts/machine/machine.ts";
import type { SshDockerHostArgs } from "../components/hosts/ssh.ts";
import { pinnedOptions } from "../components/hosts/sshClient.ts";
import { isNot, isRecord, readJson } from "./json.ts";
import type { Problems } from "./problems.ts";
import { parseText } from "./text.ts";

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

export const targets = ["local", "ssh", "digitalocean", "aws"] as const satisfies readonly Target[];

const cloudKeys = ["size", "image", "dataSize", "sshFrom", "registryFrom", "generation"] as const;

/** What the setting `host` may hold, by target. */
const hostKeys: Readonly<Record<Target, readonly string[]>> = {
  local: [],
  ssh: ["address", "port", "user", "hostKey", "keyFile"],
  digitalocean: ["region", ...cloudKeys],
  aws: ["subnet", "ipv6", ...cloudKeys],
};

/** The setting `host` of a target that has one: what it says, read key by key, each problem with its path. */
export class HostReader {
  private readonly values: Record<string, unknown>;
  private readonly problems: Problems;

  constructor(target: Target, json: string | undefined, problems: Problems) {
    this.problems = problems;
    const value = json === undefined ? {} : readJson(json);
    this.values = isRecord(value) ? value : {};
    if (!isRecord(value)) problems.add("host", "is not an object", configCommand("rm", "host"));
    if (target === "local" && json !== undefined) {
      const wrong = "is about a machine, and the target local has none of its own";
      problems.add(
        "host",
        wrong,
        `${configCommand("rm", "host")}, or ${configCommand("set", "target", "digitalocean")}`,
      );
      return;
    }
    for (const key of Object.keys(this.values)) problems.addUnknownKey("host.", key, hostKeys[target]);
  }

  /** @param what As a problem calls it: "a region". */
  text(key: string, pattern: RegExp, what: string, example: string, fallback?: string): string {
    const path = `host.${key}`;
    const text = parseText(this.values[key] ?? fallback, { path, what, example }, this.problems) ?? "";
    if (pattern.test(text)) return text;
    const wrong = text.includes("PRIVATE KEY") ? `a private key is not ${what}` : isNot(text, what); // Never quoted.
    this.problems.add(path, wrong, configCommand("set", path, example));
    return "";
  }

  optionalText(key: string, pattern: RegExp, what: string, example: string): string | undefined {
    return this.values[key] === undefined ? undefined : this.text(key, pattern, what, example);
  }

  number(key: string, least: number, most: number, fallback: number): number {
    const given = this.values[key] ?? fallback;
    const value = typeof given === "number" || typeof given === "string" ? Number(given) : NaN;
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    const path = `host.${key}`;
    const wrong = isNot(given, `a whole number from ${String(least)} to ${String(most)}`);
    this.problems.add(path, wrong, configCommand("set", path, String(fallback)));
    return fallback;
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.values[key] ?? fallback;
    if (value === true || value === "true") return true;
    if (value === false || value === "false") return false;
    const path = `host.${key}`;
    const wrong = `${JSON.stringify(value)} is neither true nor false`;
    this.problems.add(path, wrong, configCommand("set", path, String(fallback)));
    return fallback;
  }

  /** Networks in CIDR notation; an address alone is a network of its own. */
  networks(key: string, fallback?: readonly string[]): string[] {
    const path = `host.${key}`;
    const value = this.values[key] ?? fallback;
    const example = configCommand("set", `${path}[0]`, "203.0.113.7/32");
    if (!Array.isArray(value) || value.length === 0) {
      const wrong = value === undefined ? "is not set: who may connect is needed" : "is not a list of networks";
      this.problems.add(path, wrong, `name the networks, yours at least: ${example}`);
      return [];
    }
    const networks = value.map((entry: unknown, i) => {
      const at = `${path}[${String(i)}]`;
      const { network, isWhole } = parseNetwork(entry) ?? {};
      if (network === undefined) {
        const wrong = isNot(entry, "a network such as 203.0.113.0/24 or 2001:db8::/32");
        this.problems.add(at, wrong, configCommand("set", at, "203.0.113.7/32"));
      } else if (!isWhole) {
        const wrong = `${JSON.stringify(entry)} is an address in the network ${network}: name that one, or the address alone`;
        this.problems.add(at, wrong, configCommand("set", at, network));
      }
      return network ?? "";
    });
    // A cloud takes none twice.
    return [...new Set(networks)];
  }
}

/** The network that is meant, as clouds write it, and whether that is what was given; an address alone is one, too. */
function parseNetwork(given: unknown): { network: string; isWhole: boolean } | undefined {
  const [text = "", length, ...rest] = typeof given === "string" ? given.split("/") : [];
  if (isIP(text) === 0 || text.includes("%") || rest.length > 0) return undefined;
  const address = ipaddr.parse(text);
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()) return undefined;
  const family = address instanceof ipaddr.IPv4 ? ipaddr.IPv4 : ipaddr.IPv6;
  const bits = 8 * address.toByteArray().length;
  if (length === undefined) return { network: `${address.toString()}/${String(bits)}`, isWhole: true };
  if (!/^\d{1,3}$/.test(length) || Number(length) > bits) return undefined;
  const first = family.networkAddressFromCIDR(`${text}/${length}`).toString();
  return { network: `${first}/${String(Number(length))}`, isWhole: first === address.toString() };
}

const everywhere = ["0.0.0.0/0", "::/0"];

function readCloud(host: HostReader) {
  return {
    dataSize: host.number("dataSize", 1, 16_000, 50),
    sshFrom: host.networks("sshFrom"),
    registryFrom: host.networks("registryFrom", everywhere),
    generation: host.number("generation", 1, 1_000_000, 1),
  };
}

const word = /^[a-z0-9][a-z0-9.-]*$/;

export function parseDigitalOcean(host: HostReader): DigitalOceanSettings {
  return {
    region: host.text("region", word, "a region", "fra1", "fra1"),
    size: host.text("size", word, "a size of a Droplet", "s-1vcpu-2gb", "s-1vcpu-2gb"),
    image: host.text("image", word, "an image", "ubuntu-24-04-x64", "ubuntu-24-04-x64"),
    ...readCloud(host),
  };
}

const ubuntuImage = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id";

export function parseAws(host: HostReader): AwsSettings {
  const image = /^(ami-[0-9a-f]+|\/[\w./-]+)$/;
  return {
    size: host.text("size", /^[a-z0-9-]+\.[a-z0-9-]+$/, "an instance type", "t3.small", "t3.small"),
    image: host.text("image", image, "an AMI (ami-…) or the name of an SSM parameter", ubuntuImage, ubuntuImage),
    subnet: host.optionalText("subnet", /^subnet-[0-9a-f]+$/, "a subnet (subnet-…)", "subnet-0123456789abcdef0"),
    ipv6: host.boolean("ipv6", false),
    ...readCloud(host),
  };
}

export function parseSsh(host: HostReader): SshDockerHostArgs {
  const address = host.text("address", /^[A-Za-z0-9][A-Za-z0-9.-]*$/, "a DNS name or an IPv4 address", "203.0.113.7");
  const user = host.text("user", /^[a-z_][a-z0-9_-]*$/, "the name of a user", "deploy", "deploy");
  const port = host.number("port", 1, 65535, 22);
  const publicKey = /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+=*( .*)?$/;
  const hostKey = host.text("hostKey", publicKey, "the public host key of the machine", "'ssh-ed25519 AAAA…'");
  const keyFile = host.optionalText("keyFile", /^[^\0\r\n"]+$/, "the path of a file", "~/.ssh/id_ed25519");
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
