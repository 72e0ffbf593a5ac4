import * as digitalocean from "@pulumi/digitalocean";
import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import type { DockerHost, HostMachine, MachineLogin } from "../../components/hosts/dockerHost.ts";
import {
  type CloudMachineArgs,
  Machine,
  machineDataPath,
  MachineKeys,
} from "../../components/hosts/machine/machine.ts";
import type { DigitalOceanSettings } from "../../settings/host.ts";

export type DigitalOceanDockerHostArgs = DigitalOceanSettings & CloudMachineArgs;

/**
 * A Droplet that runs Docker, with a volume for the data, a reserved address and a firewall. Volume and address outlive
 * the Droplet; the volume is protected, so that only who means it deletes it.
 *
 * Cost a month with the defaults: about $12 for the Droplet and $5 for the volume; an address in use is free.
 */
export class DigitalOceanDockerHost extends pulumi.ComponentResource implements DockerHost {
  readonly provider: docker.Provider;
  readonly address: pulumi.Output<string>;
  readonly ipv6Address: pulumi.Output<string>;
  readonly dataPath = machineDataPath;
  readonly machine: HostMachine;
  readonly login: MachineLogin;

  constructor(name: string, args: DigitalOceanDockerHostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:DigitalOceanDockerHost", name, {}, opts);
    const { keys, droplet, ip, joined } = createMachine(name, args, this);
    const machine = new Machine(
      `${name}-machine`,
      { keys, id: droplet.id, address: ip.ipAddress, dataSize: args.dataSize, size: args.size },
      { parent: this, dependsOn: joined },
    );
    this.provider = machine.provider;
    this.machine = { id: droplet.id, prepared: machine.prepared };
    this.login = machine.login;
    this.address = ip.ipAddress;
    this.ipv6Address = droplet.ipv6Address;

    this.registerOutputs({ address: this.address });
  }
}

/** What DigitalOcean is asked for. All of it is there before the machine has booted. */
function createMachine(name: string, args: DigitalOceanDockerHostArgs, host: pulumi.Resource) {
  const parent = { parent: host };
  // Names in the cloud get an ending of their own each: what a run that was killed left there is in nobody's way.
  const cloudName = cloudNameOf(name);

  const keys = new MachineKeys(`${name}-keys`, args, parent);
  const volume = new digitalocean.Volume(
    `${cloudName}-data`,
    { region: args.region, size: args.dataSize },
    { parent: host, protect: true },
  );
  const sshKey = new digitalocean.SshKey(
    `${cloudName}-ssh-key`,
    { publicKey: keys.client.publicKeyOpenssh.apply((key) => key.trim()) },
    parent,
  );
  // The firewall goes by it, so that it can be asked for before the Droplet.
  const tag = new digitalocean.Tag(`${cloudName}-tag`, {}, parent);
  const firewall = new digitalocean.Firewall(
    `${cloudName}-firewall`,
    {
      tags: [tag.name],
      inboundRules: [inbound(22, args.sshFrom), ...args.ports.map((port) => inbound(port, args.registryFrom))],
      outboundRules: [outbound("tcp", "1-65535"), outbound("udp", "1-65535"), outbound("icmp")],
    },
    parent,
  );
  const droplet = new digitalocean.Droplet(
    `${cloudName}-droplet`,
    {
      // The machine's own name, which people read at its prompt.
      name: cloudName,
      region: args.region,
      size: args.size,
      // Its own disk can't shrink again, and nothing of worth is on it.
      resizeDisk: false,
      image: args.image,
      ipv6: true,
      // Or a password for root would be mailed.
      sshKeys: [sshKey.fingerprint],
      tags: [tag.name],
      userData: keys.userData(pulumi.interpolate`/dev/disk/by-id/scsi-0DO_Volume_${volume.name}`),
    },
    {
      parent: host,
      dependsOn: firewall,
      // The next one takes its disk and its address over.
      deleteBeforeReplace: true,
      // It may take longer than the minute that it gets otherwise.
      customTimeouts: { delete: "10m" },
      additionalSecretOutputs: ["userData"],
    },
  );
  const dropletId = droplet.id.apply(Number);
  const moved = { parent: host, deleteBeforeReplace: true };
  // Where the volume can't go, as to another region, the address isn't given up either.
  const ip = new digitalocean.ReservedIp(`${name}-ip`, { region: args.region }, { parent: host, dependsOn: volume });
  const attachment = new digitalocean.VolumeAttachment(
    `${name}-data-attachment`,
    { volumeId: volume.id, dropletId },
    moved,
  );
  // One after the other: a Droplet takes one such order at a time.
  const assignment = new digitalocean.ReservedIpAssignment(
    `${name}-ip-assignment`,
    { ipAddress: ip.ipAddress, dropletId },
    { ...moved, dependsOn: attachment },
  );
  return { keys, droplet, ip, joined: [assignment, attachment] };
}

function inbound(port: number, from: readonly string[]) {
  return { protocol: "tcp", portRange: String(port), sourceAddresses: [...from] };
}

function outbound(protocol: string, portRange?: string) {
  const rule = { protocol, destinationAddresses: ["0.0.0.0/0", "::/0"] };
  return portRange === undefined ? rule : { ...rule, portRange };
}

/** A name as DigitalOcean takes it: lower-case letters, digits and dashes, 64 with the endings that it gets. */
export function cloudNameOf(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .slice(0, 44)
    .replace(/-+$/, "");
}
