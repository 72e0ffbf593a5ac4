import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { docker, run, type Result, succeed } from "../support/run.ts";
import type { Disk } from "./disks.ts";
import { imageStore } from "./imageStore.ts";
import { machineImage } from "./machineImage.ts";
import { type Metadata, MetadataService } from "./metadata.ts";
import { type Filter, metadataAddress, type Network, renderFilter } from "./network.ts";
import { privileges } from "./privileges.ts";

/** The order for a machine. */
export interface Order {
  readonly id: string;
  readonly hostname: string;
  readonly userData: string;
  /** The user who may sign in with `keys`. */
  readonly user: string;
  readonly keys: readonly string[];
  readonly hasIpv6: boolean;
  readonly filter?: Filter;
  /** Undefined without a cloud around the machine. */
  readonly metadata?: Metadata;
}

/** The machines of a cloud, each a container that boots as a virtual machine does. */
export class Machines {
  private readonly machines = new Map<string, Machine>();
  private readonly metadata: MetadataService;
  private readonly folder: string;
  private readonly network: Network;
  private readonly label: string;

  private readonly allImages: boolean;

  constructor(folder: string, network: Network, label: string, allImages: boolean) {
    this.folder = folder;
    this.network = network;
    this.label = label;
    this.allImages = allImages;
    this.metadata = new MetadataService(folder, network, label);
  }

  get all(): Machine[] {
    return [...this.machines.values()];
  }

  get(id: unknown): Machine | undefined {
    return this.machines.get(String(id));
  }

  /** Switches on a new machine; it still boots afterwards. */
  async boot(order: Order): Promise<Machine> {
    const machine = new Machine(order, this.network, join(this.folder, `machine-${order.id}`), this.label);
    this.machines.set(order.id, machine);
    if (order.metadata) await this.metadata.tell(machine.address, order.metadata);
    await machine.make(await imageStore(this.allImages));
    return machine;
  }

  async tell(machine: Machine, metadata: Metadata): Promise<void> {
    await this.metadata.tell(machine.address, metadata);
  }

  async remove(machine: Machine): Promise<void> {
    await machine.remove();
    this.machines.delete(machine.id);
  }
}

/** Runs the script that sets up a machine's surroundings: the latest one, once nobody else does. */
const arrange = ["flock", "/run/arrange.lock", "sh", "/world/arrange"];

/** A machine: systemd, cloud-init, sshd and a Docker engine of its own. */
export class Machine {
  readonly id: string;
  /** The address that it always has. */
  readonly address: string;
  private hasIpv6: boolean;
  readonly container: string;
  private readonly extraAddresses = new Set<string>();
  private readonly disks = new Map<Disk, string>();
  private isCutOff = false;
  private isRemoved = false;
  private filter: Filter | undefined;
  private readonly order: Order;
  private readonly network: Network;
  private readonly folder: string;
  private readonly label: string;

  constructor(order: Order, network: Network, folder: string, label: string) {
    this.order = order;
    this.network = network;
    this.folder = folder;
    this.label = label;
    this.id = order.id;
    this.address = network.allocate();
    this.hasIpv6 = order.hasIpv6;
    this.container = `${network.name}-${order.id}`;
    this.filter = order.filter;
  }

  get ipv6(): string | undefined {
    return this.hasIpv6 && this.network.hasIpv6 ? this.network.ipv6Of(this.address) : undefined;
  }

  /** @param images A tar of the storage of its engine. */
  async make(images: string): Promise<void> {
    this.writeSeed();
    this.writeWorld();
    // A machine without IPv6 loses its address before it boots.
    const { hasIpv6 } = this.network;
    const volume = (from: string, to: string) => ["--volume", `${from}:${to}`];
    await docker(
      ...["run", "--detach", "--name", this.container, "--hostname", this.order.hostname, "--label", this.label],
      ...[
        "--network",
        this.network.name,
        "--ip",
        this.address,
        ...(hasIpv6 ? ["--ip6", this.network.ipv6Of(this.address)] : []),
      ],
      ...[...privileges, "--device-cgroup-rule", "b 7:* rwm"],
      ...["--env", "container=docker", "--stop-signal", "SIGRTMIN+3"],
      ...["/run", "/run/lock", "/tmp"].flatMap((path) => ["--tmpfs", path]),
      ...["--volume", "/var/lib/docker", ...volume(images, "/images.tar:ro")],
      ...volume(this.path("world"), "/world:ro"),
      ...volume(this.path("seed"), "/var/lib/cloud/seed/nocloud:ro"),
      ...volume(this.path("cloud.cfg"), "/etc/cloud/cloud.cfg.d/99-cloud.cfg:ro"),
      ...[await machineImage(), "sh", "-c", `${arrange.join(" ")} && exec /sbin/init`],
    );
    // What changed while Docker was starting it was not known to be needed, or came after it had looked.
    await this.arrange();
  }

  private path(name: string): string {
    return join(this.folder, name);
  }

  private writeSeed(): void {
    const { id, hostname, userData, user, keys } = this.order;
    mkdirSync(this.path("seed"), { recursive: true });
    mkdirSync(this.path("world"), { recursive: true });
    const metadata = { "instance-id": id, "local-hostname": hostname, "public-keys": keys };
    writeFileSync(this.path("seed/meta-data"), JSON.stringify(metadata));
    writeFileSync(this.path("seed/user-data"), userData, { mode: 0o600 });
    // JSON is YAML, too. The user root isn't an alias of another one.
    const login = { disable_root: user !== "root", system_info: { default_user: { name: user } } };
    writeFileSync(this.path("cloud.cfg"), `#cloud-config\n${JSON.stringify(login)}\n`);
  }

  /** A script that sets up the machine's surroundings: before it boots, and again after each change. */
  private writeWorld(): void {
    const addresses = [`${this.address}/24`, ...[...this.extraAddresses].map((address) => `${address}/24`)];
    if (this.ipv6) addresses.push(`${this.ipv6}/64`);
    const disks = [...this.disks].map(([disk, link]) => ({ link, minor: String(disk.minor) }));
    const script = `set -e
mkdir -p /dev/disk/by-id
find /dev/disk/by-id -type l -delete
${disks.map(({ minor }) => `[ -b /dev/loop${minor} ] || mknod /dev/loop${minor} b 7 ${minor}`).join("\n")}
${disks.map(({ link, minor }) => `ln -s ../../loop${minor} '/dev/disk/by-id/${link}'`).join("\n")}

wanted='${addresses.join(" ")}'
for address in $(ip -oneline address show dev eth0 scope global | awk '{ print $4 }'); do
  case " $wanted " in *" $address "*) ;; *) ip address delete "$address" dev eth0 ;; esac
done
for address in $wanted; do
  case $address in
    *:*) ip address replace "$address" dev eth0 nodad ;;
    *) ip address replace "$address" dev eth0 ;;
  esac
done
ip route replace ${metadataAddress} dev eth0

nft -f - <<'END'
${renderFilter(this.filter, this.isCutOff)}END
`;
    // Whole at once: the machine may be reading it.
    writeFileSync(this.path("arrange.new"), script);
    renameSync(this.path("arrange.new"), this.path("world/arrange"));
  }

  private async arrange(): Promise<void> {
    this.writeWorld();
    try {
      if (await this.isRunning()) await succeed("docker", ["exec", this.container, ...arrange]);
    } catch (error) {
      // Its surroundings may change while it is deleted.
      if (!this.isRemoved) throw error;
    }
  }

  async isRunning(): Promise<boolean> {
    return (await docker("inspect", "--format", "{{.State.Running}}", this.container)) === "true";
  }

  /** Runs a shell script on it, as root and without the network. */
  run(script: string): Promise<Result> {
    return run("docker", ["exec", this.container, "sh", "-c", script]);
  }

  /** The same, for a script that must succeed; returns its output. */
  async succeed(script: string): Promise<string> {
    return (await succeed("docker", ["exec", this.container, "sh", "-c", script])).trim();
  }

  read(path: string): Promise<string> {
    return docker("exec", this.container, "cat", path);
  }

  /** Waits until a shell script succeeds on it. */
  async until(script: string, signal: AbortSignal): Promise<void> {
    while ((await this.run(script)).code !== 0) await sleep(100, undefined, { signal });
  }

  /** Waits for the end of cloud-init; returns its status. */
  async untilBooted(): Promise<string> {
    const { output } = await this.run(
      "until [ -d /run/cloud-init ]; do sleep 0.2; done; cloud-init status --wait --long",
    );
    return output;
  }

  /** Cuts the power. */
  async kill(): Promise<void> {
    await docker("kill", this.container);
  }

  /** Shuts it down in order. */
  async powerOff(): Promise<void> {
    await docker("stop", "--time", "60", this.container);
  }

  async powerOn(): Promise<void> {
    await docker("start", this.container);
  }

  /** Drops every packet from and to it, or lets them pass again. */
  async cutOff(isCutOff: boolean): Promise<void> {
    this.isCutOff = isCutOff;
    await this.arrange();
  }

  async setIpv6(hasIpv6: boolean): Promise<void> {
    this.hasIpv6 = hasIpv6;
    await this.arrange();
  }

  async guard(filter: Filter | undefined): Promise<void> {
    this.filter = filter;
    await this.arrange();
  }

  /** Makes it reachable at one more address of the network, at once. */
  async addAddress(address: string): Promise<void> {
    this.extraAddresses.add(address);
    await this.arrange();
    await this.network.forget(address);
  }

  async removeAddress(address: string): Promise<void> {
    this.extraAddresses.delete(address);
    await this.arrange();
  }

  /** Plugs in a disk, under a name of `/dev/disk/by-id`. */
  async plug(disk: Disk, link: string): Promise<void> {
    await disk.open();
    this.disks.set(disk, link);
    await this.arrange();
  }

  /** Pulls a disk out, whatever uses it. */
  async unplug(disk: Disk): Promise<void> {
    this.disks.delete(disk);
    const { minor } = disk;
    if (await this.isRunning()) {
      await this.run(`umount --lazy --all-targets /dev/loop${String(minor)}; rm -f /dev/loop${String(minor)}`);
    }
    await this.arrange();
    await disk.close();
  }

  /** Leaves no room on the file system that a folder is on. */
  async fill(folder: string): Promise<void> {
    await this.succeed(
      `fallocate --length "$(df --output=avail --block-size=1 '${folder}' | tail -n 1)" '${folder}/filler' ||
       cat /dev/zero >'${folder}/filler' 2>/dev/null || true`,
    );
  }

  /** Does nothing: only the next boot of an unchanged machine would see new user data. */
  replaceUserData(userData: string): void {
    writeFileSync(this.path("seed/user-data"), userData, { mode: 0o600 });
  }

  /** Only the disks of a deleted machine stay. */
  async remove(): Promise<void> {
    this.isRemoved = true;
    await docker("rm", "--force", "--volumes", this.container);
    for (const disk of this.disks.keys()) await disk.close();
    this.disks.clear();
    this.network.free(this.address);
  }
}
