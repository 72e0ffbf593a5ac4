import * as digitalocean from "@pulumi/digitalocean";
import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { everywhere } from "../../components/endpoint.ts";
import type { DockerHost, HostMachine, MachineLogin } from "../../components/hosts/dockerHost.ts";
import {
  type CloudMachineArgs,
  Machine,
  machineAccountsPath,
  machineDataPath,
  MachineKeys,
} from "../../components/hosts/machine/machine.ts";
import type { DigitalOceanSettings } from "../../settings/host.ts";

export type DigitalOceanDockerHostArgs = DigitalOceanSettings & CloudMachineArgs;

/**
 * A Droplet that runs Docker, with a volume for the data, a reserved address and a firewall. Volume and address outlive
 * the Droplet; the volume is protected against accidental deletion.
 *
 * Monthly cost with the defaults: about $12 for the Droplet and $5 for the volume; an address in use is free.
 */
export class DigitalOceanDockerHost extends pulumi.ComponentResource implements DockerHost {
  readonly provider: docker.Provider;
  readonly address: pulumi.Output<string>;
  readonly ipv6Address: pulumi.Output<string>;
  readonly dataPath = machineDataPath;
  readonly accountsPath = machineAccountsPath;
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

/** The resources at DigitalOcean. All of them exist before the machine has booted. */
function createMachine(name: string, args: DigitalOceanDockerHostArgs, host: pulumi.Resource) {
  const parent = { parent: host };
  // Each name in the cloud gets a suffix of its own, so that what a killed run left there is not in the way.
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
  // The firewall refers to this tag, so that it can be created before the Droplet.
  const tag = new digitalocean.Tag(`${cloudName}-tag`, {}, parent);
  const firewall = new digitalocean.Firewall(
    `${cloudName}-firewall`,
    {
      tags: [tag.name],
      inboundRules: [
        inbound(22, args.sshFrom),
        ...args.ports.map((port) => inbound(port, args.registryFrom)),
        ...args.publicPorts.map((port) => inbound(port, everywhere)),
      ],
      outboundRules: [outbound("tcp", "1-65535"), outbound("udp", "1-65535"), outbound("icmp")],
    },
    parent,
  );
  const droplet = new digitalocean.Droplet(
    `${cloudName}-droplet`,
    {
      // The machine's hostname, which is shown in its prompt.
      name: cloudName,
      region: args.region,
      size: args.size,
      // The Droplet's own disk can't shrink again, and holds no data.
      resizeDisk: false,
      image: args.image,
      ipv6: true,
      // Without a key, DigitalOcean would mail a root password.
      sshKeys: [sshKey.fingerprint],
      tags: [tag.name],
      userData: keys.userData(pulumi.interpolate`/dev/disk/by-id/scsi-0DO_Volume_${volume.name}`),
    },
    {
      parent: host,
      dependsOn: firewall,
      // The next Droplet takes over the disk and the address.
      deleteBeforeReplace: true,
      // Deletion may take longer than the default of one minute.
      customTimeouts: { delete: "10m" },
      additionalSecretOutputs: ["userData"],
    },
  );
  const dropletId = droplet.id.apply(Number);
  const moved = { parent: host, deleteBeforeReplace: true };
  // If the volume can't move, as to another region, the address must not be replaced either.
  const ip = new digitalocean.ReservedIp(`${name}-ip`, { region: args.region }, { parent: host, dependsOn: volume });
  const attachment = new digitalocean.VolumeAttachment(
    `${name}-data-attachment`,
    { volumeId: volume.id, dropletId },
    moved,
  );
  // One after the other: a Droplet accepts one such action at a time.
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

/** A name that DigitalOcean accepts: lower-case letters, digits and dashes, at most 64 including the suffix. */
export function cloudNameOf(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .slice(0, 44)
    .replace(/-+$/, "");
}
