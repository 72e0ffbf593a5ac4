import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";

import { Aws } from "./aws.ts";
import { DigitalOcean } from "./digitalOcean.ts";
import { Disks } from "./disks.ts";
import { Dns, type RecordType } from "./dns.ts";
import { Dnsimple } from "./dnsimple.ts";
import { Faults } from "./faults.ts";
import { imageStore } from "./imageStore.ts";
import { type Machine, Machines, type Order } from "./machines.ts";
import { Network } from "./network.ts";
import { Plugins } from "./plugins.ts";
import { Remains } from "./remains.ts";

export interface TestCloudOptions {
  /** Whether its network has IPv6. */
  readonly ipv6?: boolean;
  /** Whether its machines find the images for a certificate from an authority. */
  readonly allImages?: boolean;
  /** The existing zones, by provider. */
  readonly zones?: {
    readonly digitalOcean?: readonly string[];
    readonly dnsimple?: readonly string[];
    readonly route53?: readonly string[];
  };
}

/**
 * DigitalOcean, AWS and DNSimple on this machine: resource plugins that the Pulumi of `env` finds in place of the
 * real ones, with machines that really boot, disks that are real block devices, firewalls that really drop packets and
 * a DNS server that answers. It lives in the process of the test; several can exist at a time.
 */
export class TestCloud {
  /** What the names of its containers and its network begin with. */
  readonly name = `test-cloud-${randomBytes(4).toString("hex")}`;
  readonly faults = new Faults();
  readonly digitalOcean: DigitalOcean;
  readonly aws: Aws;
  readonly dnsimple: Dnsimple;
  readonly dns: Dns;
  readonly disks: Disks;

  private readonly remains = new Remains(this.name);
  private readonly network: Network;
  private readonly allMachines: Machines;
  private readonly plugins: Plugins;

  static async start(options: TestCloudOptions = {}): Promise<TestCloud> {
    for (const remains of Remains.nobodys()) await remains.remove();
    // Built once, which takes minutes: not while somebody waits for a machine.
    await imageStore(options.allImages ?? false);
    const cloud = new TestCloud(options);
    try {
      await cloud.network.create();
      await cloud.dns.start(cloud.gateway);
      await cloud.dnsimple.start();
      await cloud.plugins.start();
      return cloud;
    } catch (error) {
      await cloud.dispose();
      throw error;
    }
  }

  private constructor({ ipv6 = false, allImages = false, zones = {} }: TestCloudOptions) {
    const { folder, label } = this.remains;
    mkdirSync(folder, { mode: 0o700 });
    this.remains.sign();
    const { digitalOcean = [], dnsimple = [], route53 = [] } = zones;
    this.network = new Network(this.name, label, this.name.replace("test-cloud-", "tc-"), ipv6);
    this.allMachines = new Machines(folder, this.network, label, allImages);
    this.disks = new Disks(folder);
    this.dns = new Dns(folder, [...digitalOcean, ...dnsimple, ...route53]);
    const world = { network: this.network, machines: this.allMachines, disks: this.disks, dns: this.dns };
    this.digitalOcean = new DigitalOcean(world, `dop_v1_${secret()}`, digitalOcean);
    this.aws = new Aws(world, secret(), route53);
    this.dnsimple = new Dnsimple(folder, dnsimple, `dnsimple_a_${secret()}`, this.dns, this.faults);
    const providers = { digitalocean: this.digitalOcean, aws: this.aws };
    this.plugins = new Plugins(folder, providers, this.faults);
  }

  /** The environment in which Pulumi and this project's commands use this cloud, with valid credentials. */
  get env(): NodeJS.ProcessEnv {
    return {
      PULUMI_HOME: this.plugins.home,
      DIGITALOCEAN_TOKEN: this.digitalOcean.token,
      DIGITALOCEAN_ACCESS_TOKEN: "",
      DIGITALOCEAN_API_URL: "",
      AWS_ACCESS_KEY_ID: this.aws.accessKey,
      AWS_SECRET_ACCESS_KEY: this.aws.secretKey,
      AWS_SESSION_TOKEN: "",
      AWS_PROFILE: "",
      AWS_ENDPOINT_URL: "",
      AWS_REGION: this.aws.region,
      NODE_EXTRA_CA_CERTS: this.dnsimple.authority,
    };
  }

  /** The address at which its machines reach this host. */
  get gateway(): string {
    return this.network.gateway;
  }

  /** The existing machines, in the order of their creation. */
  get machines(): Machine[] {
    return this.allMachines.all;
  }

  /** A machine that the user already has, outside the clouds. */
  boot(order: Omit<Order, "hasIpv6" | "metadata">): Promise<Machine> {
    return this.allMachines.boot({ ...order, hasIpv6: false });
  }

  remove(machine: Machine): Promise<void> {
    return this.allMachines.remove(machine);
  }

  /** The DNS server's answer for a name; empty if it is unknown. */
  resolve(name: string, type: RecordType): Promise<string[]> {
    return this.dns.resolve(name, type);
  }

  /** Removes all of it, whatever state a failed test left it in. */
  async dispose(): Promise<void> {
    this.plugins.stop();
    this.dnsimple.stop();
    await this.dns.stop();
    await this.remains.remove();
  }
}

function secret(): string {
  return randomBytes(32).toString("hex");
}
