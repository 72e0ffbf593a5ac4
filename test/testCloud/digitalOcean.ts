import { createHash, randomUUID } from "node:crypto";

import type * as sdk from "@pulumi/digitalocean";

import type { Disk } from "./disks.ts";
import type { DnsRecord } from "./dns.ts";
import { type Call, type Credentials, type Inputs, Kind, names, type Provider, Refusal, type Thing } from "./kinds.ts";
import type { Machine } from "./machines.ts";
import type { Filter, Rule } from "./network.ts";
import type { World } from "./world.ts";

const api = "https://api.digitalocean.com";

const regions = [
  "nyc1",
  "nyc2",
  "nyc3",
  "ams3",
  "sfo2",
  "sfo3",
  "sgp1",
  "lon1",
  "fra1",
  "tor1",
  "blr1",
  "syd1",
  "atl1",
];
const images = ["debian-12-x64", "debian-13-x64", "ubuntu-22-04-x64", "ubuntu-24-04-x64"];
const sizes = ["s-1vcpu-1gb", "s-1vcpu-2gb", "s-2vcpu-4gb"];

type Droplet = Thing<sdk.DropletArgs, sdk.Droplet>;

/** DigitalOcean, the part for a machine with a disk, an address, a firewall and DNS records. */
export class DigitalOcean implements Provider {
  readonly settings = names<sdk.ProviderArgs>(
    ...(["apiEndpoint", "httpRetryMax", "httpRetryWaitMax", "httpRetryWaitMin", "requestsPerSecond"] as const),
    ...(["spacesAccessId", "spacesEndpoint", "spacesSecretKey", "token"] as const),
  );

  /** How many the account may have. */
  readonly limits = { droplets: 10, reservedIps: 3 };

  /** How many requests it still answers before it refuses more. */
  requestsLeft = Infinity;

  private lastId = 400_000_000;
  private readonly disks = new Map<string, Disk>();
  private readonly world: World;
  readonly token: string;
  private readonly domains: readonly string[];

  /** @param domains The account's domains. */
  constructor(world: World, token: string, domains: readonly string[]) {
    this.world = world;
    this.token = token;
    this.domains = domains;
  }

  readonly sshKeys = new Kind<sdk.SshKeyArgs, sdk.SshKey>({
    noun: "SSH Key",
    gone: notFound,
    replacedBy: ["publicKey"],
    changedBy: ["name"],
    autoName: "name",
    computed: ["fingerprint"],
    create: (inputs) => {
      const fingerprint = fingerprintOf(inputs.publicKey);
      const isTaken = this.sshKeys.all.some(({ state }) => state.fingerprint === fingerprint);
      if (isTaken) throw new Refusal("422", "SSH Key is already in use on your account");
      return Promise.resolve({ id: this.nextId(), state: { fingerprint } });
    },
  });

  readonly tags = new Kind<sdk.TagArgs, sdk.Tag>({
    noun: "tag",
    gone: notFound,
    replacedBy: ["name"],
    changedBy: [],
    autoName: "name",
    computed: ["dropletsCount", "totalResourceCount"],
    create: ({ name = "" }) => {
      if (!/^[\w:-]{1,255}$/.test(name)) throw new Refusal("422", "Tags must be alphanumeric, with : - _");
      return Promise.resolve({ id: name, state: { dropletsCount: 0, totalResourceCount: 0 } });
    },
    delete: ({ id }) => {
      // It is taken from the machine that has it.
      for (const { inputs } of [...this.droplets.all, ...this.firewalls.all])
        inputs.tags = inputs.tags?.filter((tag) => tag !== id);
      return this.guardAll(this.firewallsBut());
    },
  });

  readonly droplets = new Kind<sdk.DropletArgs, sdk.Droplet>({
    noun: "droplet",
    gone: notFound,
    replacedBy: ["image", "region", "sshKeys", "userData", "monitoring", "vpcUuid", "dropletAgent"],
    changedBy: ["name", "size", "ipv6", "tags", "backups", "resizeDisk", "gracefulShutdown"],
    autoName: "name",
    computed: ["ipv4Address", "ipv4AddressPrivate", "ipv6Address", "dropletUrn", "status"],
    create: (inputs) => this.createDroplet(inputs),
    update: async ({ id, inputs }, { size, ipv6 = false, tags = [] }) => {
      checkSize(size);
      if (ipv6 !== (inputs.ipv6 ?? false)) throw new Refusal("422", "IPv6 of a droplet can't change here");
      const machine = this.world.machines.get(id);
      await machine?.guard(filterFor(this.firewallsBut(), { ...inputs, tags }, id));
      if (size === inputs.size || machine === undefined) return;
      await machine.powerOff();
      await machine.powerOn();
    },
    delete: async ({ id }) => {
      const machine = this.world.machines.get(id);
      if (machine === undefined) return;
      await this.world.machines.remove(machine);
      for (const attached of this.attachments.all.filter(({ inputs }) => String(inputs.dropletId) === id)) {
        await this.attachments.delete(attached.id);
      }
      for (const assigned of this.assignments.all.filter(({ inputs }) => String(inputs.dropletId) === id)) {
        await this.assignments.delete(assigned.id);
      }
    },
  });

  readonly volumes = new Kind<sdk.VolumeArgs, sdk.Volume>({
    noun: "Volume",
    gone: notFound,
    replacedBy: ["name", "region", "description", "snapshotId", "initialFilesystemType", "initialFilesystemLabel"],
    changedBy: ["size", "tags"],
    autoName: "name",
    computed: ["volumeUrn", "dropletIds"],
    compare: (olds, news) => {
      if (news.size < olds.size)
        throw new Error("1 error occurred:\n\t* volumes `size` can only be expanded and not shrunk\n\n");
      return [];
    },
    create: (inputs) => this.createVolume(inputs),
    update: async ({ id }, { size }) => this.disks.get(id)?.grow(size),
    delete: async ({ id }) => {
      const isAttached = this.attachments.all.some(({ inputs }) => inputs.volumeId === id);
      if (isAttached) throw new Refusal("409", "Cannot delete the volume, it is attached to a droplet");
      const disk = this.disks.get(id);
      this.disks.delete(id);
      if (disk) await this.world.disks.remove(disk);
    },
  });

  readonly attachments = new Kind<sdk.VolumeAttachmentArgs, sdk.VolumeAttachment>({
    noun: "volume attachment",
    gone: notFound,
    replacedBy: ["dropletId", "volumeId"],
    changedBy: [],
    computed: [],
    create: async ({ dropletId, volumeId }) => {
      const droplet = this.droplet(dropletId);
      const volume = this.volumes.get(volumeId);
      const disk = this.disks.get(volumeId);
      if (volume === undefined || disk === undefined) throw notFound();
      if (volume.inputs.region !== droplet.inputs.region) {
        throw new Refusal("422", "Droplet and volume must be in the same region");
      }
      const attached = this.attachmentOf(volumeId, dropletId);
      if (attached !== undefined) return { id: attached, state: {} };
      await this.machine(droplet).plug(disk, `scsi-0DO_Volume_${volume.inputs.name ?? ""}`);
      volume.state.dropletIds = [Number(droplet.id)];
      return { id: `${droplet.id}-${volumeId}-${String(Date.now())}`, state: {} };
    },
    delete: async ({ inputs: { dropletId, volumeId } }) => {
      const disk = this.disks.get(volumeId);
      if (disk) await this.world.machines.get(dropletId)?.unplug(disk);
      const volume = this.volumes.get(volumeId);
      if (volume) volume.state.dropletIds = [];
    },
  });

  readonly reservedIps = new Kind<sdk.ReservedIpArgs, sdk.ReservedIp>({
    noun: "reserved IP",
    gone: notFound,
    replacedBy: ["region"],
    changedBy: [],
    computed: ["ipAddress", "reservedIpUrn"],
    create: ({ region }) => {
      checkRegion(region);
      if (this.reservedIps.all.length >= this.limits.reservedIps) {
        throw new Refusal("422", "You have reached the limit of reserved IPs for your account");
      }
      const ipAddress = this.world.network.allocate();
      return Promise.resolve({ id: ipAddress, state: { ipAddress, reservedIpUrn: `do:reservedip:${ipAddress}` } });
    },
    delete: async ({ id }) => {
      for (const assigned of this.assignments.all.filter(({ inputs }) => inputs.ipAddress === id)) {
        await this.assignments.delete(assigned.id);
      }
      this.world.network.free(id);
    },
  });

  readonly assignments = new Kind<sdk.ReservedIpAssignmentArgs, sdk.ReservedIpAssignment>({
    noun: "reserved IP assignment",
    gone: notFound,
    replacedBy: ["dropletId", "ipAddress"],
    changedBy: [],
    computed: [],
    create: async ({ dropletId, ipAddress }) => {
      const droplet = this.droplet(dropletId);
      const reserved = this.reservedIps.get(ipAddress);
      if (reserved === undefined) throw notFound();
      if (reserved.inputs.region !== droplet.inputs.region) {
        throw new Refusal("422", "The reserved IP and the droplet must be in the same region");
      }
      const before = this.assignments.all.find(({ inputs }) => inputs.ipAddress === ipAddress);
      if (before) await this.assignments.delete(before.id);
      await this.machine(droplet).addAddress(ipAddress);
      reserved.state.dropletId = Number(droplet.id);
      return { id: `${droplet.id}-${ipAddress}-${String(Date.now())}`, state: {} };
    },
    delete: async ({ inputs: { dropletId, ipAddress } }) => {
      await this.world.machines.get(dropletId)?.removeAddress(ipAddress);
      const reserved = this.reservedIps.get(ipAddress);
      if (reserved) delete reserved.state.dropletId;
    },
  });

  readonly firewalls = new Kind<sdk.FirewallArgs, sdk.Firewall>({
    noun: "firewall",
    gone: notFound,
    replacedBy: [],
    changedBy: ["name", "dropletIds", "inboundRules", "outboundRules", "tags"],
    within: {
      inboundRules: names<sdk.types.input.FirewallInboundRule>("protocol", "portRange", "sourceAddresses"),
      outboundRules: names<sdk.types.input.FirewallOutboundRule>("protocol", "portRange", "destinationAddresses"),
    },
    autoName: "name",
    computed: ["status"],
    create: async (inputs) => {
      const isTaken = this.firewalls.all.some((firewall) => firewall.inputs.name === inputs.name);
      if (isTaken) throw new Refusal("409", "duplicate name");
      for (const tag of inputs.tags ?? []) if (this.tags.get(tag) === undefined) throw notFound();
      await this.guardAll([...this.firewallsBut(), inputs]);
      return { id: randomUUID(), state: { status: "succeeded" } };
    },
    update: ({ id }, changed) => this.guardAll([...this.firewallsBut(id), changed]),
    delete: ({ id }) => this.guardAll(this.firewallsBut(id)),
  });

  readonly records = new Kind<sdk.DnsRecordArgs, sdk.DnsRecord>({
    noun: "record",
    gone: notFound,
    replacedBy: ["domain", "type"],
    changedBy: ["name", "value", "ttl"],
    autoName: "name",
    computed: ["fqdn", "ttl"],
    create: async (inputs) => {
      if (!this.domains.includes(inputs.domain)) throw notFound();
      const id = this.nextId();
      const record = recordOf(inputs);
      await this.world.dns.set(`do-${id}`, record);
      return { id, state: { fqdn: record.name, ttl: record.ttl } };
    },
    update: async ({ id, state }, inputs) => {
      const record = recordOf(inputs);
      await this.world.dns.set(`do-${id}`, record);
      Object.assign(state, { fqdn: record.name, ttl: record.ttl });
    },
    delete: ({ id }) => this.world.dns.delete(`do-${id}`),
  });

  readonly kinds = {
    "digitalocean:index/sshKey:SshKey": this.sshKeys,
    "digitalocean:index/tag:Tag": this.tags,
    "digitalocean:index/droplet:Droplet": this.droplets,
    "digitalocean:index/volume:Volume": this.volumes,
    "digitalocean:index/volumeAttachment:VolumeAttachment": this.attachments,
    "digitalocean:index/reservedIp:ReservedIp": this.reservedIps,
    "digitalocean:index/reservedIpAssignment:ReservedIpAssignment": this.assignments,
    "digitalocean:index/firewall:Firewall": this.firewalls,
    "digitalocean:index/dnsRecord:DnsRecord": this.records,
  };

  readonly functions = {
    "digitalocean:index/getDomain:getDomain": ({ name }: sdk.GetDomainArgs): sdk.GetDomainResult => {
      if (!this.domains.includes(name)) throw notFound();
      return { id: name, name, domainUrn: `do:domain:${name}`, ttl: 1800, zoneFile: "" };
    },
    "digitalocean:index/getRegion:getRegion": ({ slug }: sdk.GetRegionArgs): sdk.GetRegionResult => {
      if (!regions.includes(slug)) throw new Error(`Region does not exist: ${slug}`);
      return { id: slug, slug, name: slug, available: true, features: [], sizes };
    },
    "digitalocean:index/getDroplets:getDroplets": ({ filters = [] }: sdk.GetDropletsArgs): object => {
      const named = filters.filter(({ key }) => key === "name").flatMap(({ values }) => values);
      return { droplets: this.droplets.all.filter(({ inputs }) => named.includes(inputs.name ?? "")) };
    },
    "digitalocean:index/getImage:getImage": ({ slug = "" }: sdk.GetImageArgs): Partial<sdk.GetImageResult> => {
      if (!images.includes(slug)) throw notFound();
      return { id: 1, slug, regions };
    },
  };

  signIn({ settings, env }: Credentials): () => void {
    const given = settings.get("token") ?? env.get("DIGITALOCEAN_TOKEN") ?? env.get("DIGITALOCEAN_ACCESS_TOKEN");
    return () => {
      if (given !== this.token) throw new Refusal("401", "Unable to authenticate you");
      if (this.requestsLeft-- <= 0) throw new Refusal("429", "API rate limit exceeded.");
    };
  }

  explain({ verb, token }: Call, { code, message }: Refusal): string {
    const path = `/v2/${token.split("/")[1]?.split(":")[0]?.toLowerCase() ?? ""}s`;
    const method = { create: "POST", read: "GET", update: "PUT", delete: "DELETE", invoke: "GET" }[verb];
    const doing = {
      create: "creating",
      read: "retrieving",
      update: "updating",
      delete: "deleting",
      invoke: "retrieving",
    };
    const kind = Object.entries(this.kinds).find(([name]) => name === token)?.[1];
    const noun = kind?.definition.noun ?? "domain";
    const said = `${method} ${api}${path}: ${code} (request "${randomUUID()}") ${message}`;
    return `1 error occurred:\n\t* Error ${doing[verb]} ${noun}: ${said}\n\n`;
  }

  private machine({ id }: Droplet): Machine {
    const machine = this.world.machines.get(id);
    if (machine === undefined) throw notFound();
    return machine;
  }

  /** The disk of a volume, by the volume's name. */
  disk(name: string): Disk | undefined {
    const volume = this.volumes.all.find(({ inputs }) => inputs.name === name);
    return volume && this.disks.get(volume.id);
  }

  private nextId(): string {
    return String(++this.lastId);
  }

  private droplet(id: unknown): Droplet {
    const droplet = this.droplets.get(id);
    if (droplet === undefined) throw notFound();
    return droplet;
  }

  private async createDroplet(inputs: Inputs<sdk.DropletArgs>) {
    const { name = "", region = "", size, image, userData = "", ipv6 = false } = inputs;
    checkRegion(region);
    checkSize(size);
    if (!images.includes(image)) throw new Refusal("422", "You specified an invalid image for Droplet creation.");
    if (!/^[a-zA-Z0-9.-]+$/.test(name)) {
      throw new Refusal("422", "Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)");
    }
    if (this.droplets.all.length >= this.limits.droplets) {
      throw new Refusal("422", "creating this/these droplet(s) will exceed your droplet limit");
    }
    for (const tag of inputs.tags ?? []) if (this.tags.get(tag) === undefined) await this.tags.create({ name: tag });
    const keys = (inputs.sshKeys ?? []).map((key) => this.publicKey(key));
    const id = this.nextId();
    const filter = filterFor(this.firewallsBut(), inputs, id);
    const machine = await this.world.machines.boot({
      id,
      hostname: name,
      user: "root",
      keys,
      userData,
      hasIpv6: ipv6,
      ...(filter && { filter }),
      metadata: { path: "/metadata/v1/user-data", userData },
    });
    const state = {
      ipv4Address: machine.address,
      ipv4AddressPrivate: machine.address,
      ipv6Address: machine.ipv6 ?? "",
      dropletUrn: `do:droplet:${id}`,
      status: "active",
      // It isn't stored unencrypted.
      userData: createHash("sha1").update(userData).digest("hex"),
    };
    return { id, state };
  }

  /** The existing attachment: the real plugin looks first, and then has nothing to do. */
  private attachmentOf(volumeId: string, dropletId: number): string | undefined {
    const attached = this.attachments.all.find(({ inputs }) => inputs.volumeId === volumeId);
    if (attached && attached.inputs.dropletId !== dropletId)
      throw new Refusal("422", "Volume is already attached to a droplet");
    return attached?.id;
  }

  private publicKey(given: string): string {
    const key = this.sshKeys.all.find(({ id, state }) => id === given || state.fingerprint === given);
    if (key === undefined) throw new Refusal("422", `${given} are invalid key identifiers for Droplet creation.`);
    return key.inputs.publicKey;
  }

  private async createVolume(inputs: Inputs<sdk.VolumeArgs>) {
    const { name = "", region, size } = inputs;
    checkRegion(region);
    const isTaken = this.volumes.all.some((volume) => volume.inputs.name === name && volume.inputs.region === region);
    if (isTaken) throw new Refusal("409", "failed to create volume: volume name already exists");
    if (!/^[a-z][a-z0-9-]{0,63}$/.test(name)) {
      throw new Refusal("422", "name must be lowercase alphanumeric and dashes, and must start with a letter");
    }
    const id = randomUUID();
    this.disks.set(id, await this.world.disks.create(id, size));
    return { id, state: { volumeUrn: `do:volume:${id}`, dropletIds: [] } };
  }

  /** All firewalls, without the one that is about to change or be deleted. */
  private firewallsBut(id?: string): Inputs<sdk.FirewallArgs>[] {
    return this.firewalls.all.filter((firewall) => firewall.id !== id).map(({ inputs }) => inputs);
  }

  private async guardAll(firewalls: readonly Inputs<sdk.FirewallArgs>[]): Promise<void> {
    for (const { id, inputs } of this.droplets.all)
      await this.world.machines.get(id)?.guard(filterFor(firewalls, inputs, id));
  }
}

/** What firewalls admit to and from a Droplet, by its id or tag; a Droplet without one is open. */
function filterFor(
  firewalls: readonly Inputs<sdk.FirewallArgs>[],
  { tags = [] }: Inputs<sdk.DropletArgs>,
  id: string,
): Filter | undefined {
  const about = firewalls.filter(
    (firewall) =>
      firewall.dropletIds?.map(String).includes(id) === true || firewall.tags?.some((tag) => tags.includes(tag)),
  );
  return about.length === 0 ? undefined : filterOf(about);
}

function filterOf(firewalls: readonly Inputs<sdk.FirewallArgs>[]): Filter {
  const rule = (protocol: string, ports: string | undefined, peers: string[] | undefined): Rule => ({
    protocol: protocol as Rule["protocol"],
    peers: peers ?? [],
    ...(ports === undefined || ports === "" || ports === "all" ? {} : { ports }),
  });
  return {
    inbound: firewalls
      .flatMap(({ inboundRules }) => inboundRules ?? [])
      .map(({ protocol, portRange, sourceAddresses }) => rule(protocol, portRange, sourceAddresses)),
    outbound: firewalls
      .flatMap(({ outboundRules }) => outboundRules ?? [])
      .map(({ protocol, portRange, destinationAddresses }) => rule(protocol, portRange, destinationAddresses)),
  };
}

function recordOf({ domain, name = "@", type, value, ttl = 1800 }: Inputs<sdk.DnsRecordArgs>): DnsRecord {
  return { name: name === "@" ? domain : `${name}.${domain}`, type, ttl, values: [value] };
}

function fingerprintOf(publicKey: string): string {
  const blob = Buffer.from(publicKey.split(" ")[1] ?? "", "base64");
  return createHash("md5")
    .update(blob)
    .digest("hex")
    .replaceAll(/(..)(?=.)/g, "$1:");
}

function checkRegion(region: string): void {
  if (!regions.includes(region)) throw new Refusal("422", "You specified an invalid region.");
}

function checkSize(size: string): void {
  if (!sizes.includes(size)) throw new Refusal("422", "You specified an invalid size for Droplet creation.");
}

function notFound(): Refusal {
  return new Refusal("404", "The resource you were accessing could not be found.");
}
