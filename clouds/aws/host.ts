import * as aws from "@pulumi/aws";
import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { configCommand, inNewShell } from "../../components/commands.ts";
import { everywhere } from "../../components/endpoint.ts";
import type { DockerHost, HostMachine, MachineLogin } from "../../components/hosts/dockerHost.ts";
import {
  type CloudMachineArgs,
  editionOf,
  Machine,
  machineAccountsPath,
  machineDataPath,
  MachineKeys,
} from "../../components/hosts/machine/machine.ts";
import { messageOf } from "../../components/userError.ts";
import type { AwsSettings } from "../../settings/host.ts";
import { type Found, Kept } from "./kept.ts";

export type AwsDockerHostArgs = AwsSettings & CloudMachineArgs;

/**
 * An EC2 instance that runs Docker, with an encrypted volume for the data, an Elastic IP and a security group. Volume
 * and address outlive the instance; the volume is protected against accidental deletion.
 *
 * Monthly cost with the defaults, in Frankfurt: about $17 for the instance, $2 for its root disk, $5 for the data
 * volume and $4 for the address.
 */
export class AwsDockerHost extends pulumi.ComponentResource implements DockerHost {
  readonly provider: docker.Provider;
  readonly address: pulumi.Output<string>;
  readonly ipv6Address: pulumi.Output<string> | undefined;
  readonly dataPath = machineDataPath;
  readonly accountsPath = machineAccountsPath;
  readonly machine: HostMachine;
  readonly login: MachineLogin;

  constructor(name: string, args: AwsDockerHostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:AwsDockerHost", name, {}, opts);
    const { keys, instance, ip, joined } = createMachine(name, args, this);
    const machine = new Machine(
      `${name}-machine`,
      { keys, id: instance.id, address: ip.publicIp, dataSize: args.dataSize, size: args.size },
      { parent: this, dependsOn: joined },
    );
    this.provider = machine.provider;
    this.machine = { id: instance.id, prepared: machine.prepared };
    this.login = machine.login;
    this.address = ip.publicIp;
    this.ipv6Address = args.ipv6 ? instance.ipv6Addresses.apply(([first = ""]) => first) : undefined;

    this.registerOutputs({ address: this.address });
  }
}

/** The resources at AWS. All of them exist before the machine has booted. */
export interface AwsMachine {
  readonly keys: MachineKeys;
  readonly instance: aws.ec2.Instance;
  readonly ip: aws.ec2.Eip;
  /** The links between the instance, its address and its disk. */
  readonly joined: pulumi.Resource[];
}

export function createMachine(name: string, args: AwsDockerHostArgs, host: pulumi.Resource): AwsMachine {
  const parent = { parent: host };
  const tags = { Name: name };

  const image = new Kept(`${name}-image`, { found: found(imageOf(args.image, parent)), until: editionOf(args) }, parent)
    .value;
  const subnet = new Kept(`${name}-subnet`, { found: found(subnetOf(args, parent)), until: args.subnet ?? "" }, parent)
    .value;
  const { availabilityZone, vpcId } = aws.ec2.getSubnetOutput({ id: subnet }, parent);

  const keys = new MachineKeys(`${name}-keys`, args, parent);
  const volume = new aws.ebs.Volume(
    `${name}-data`,
    { availabilityZone, size: args.dataSize, type: "gp3", encrypted: true, tags: { Name: `${name}-data` } },
    { parent: host, protect: true },
  );
  const keyPair = new aws.ec2.KeyPair(`${name}-key-pair`, { publicKey: keys.client.publicKeyOpenssh, tags }, parent);
  const securityGroup = new aws.ec2.SecurityGroup(
    `${name}-firewall`,
    {
      vpcId,
      description: "A private registry: SSH and its endpoints",
      ingress: [
        ingress(22, args.sshFrom),
        ...args.ports.map((port) => ingress(port, args.registryFrom)),
        ...args.publicPorts.map((port) => ingress(port, everywhere)),
      ],
      egress: [{ protocol: "-1", fromPort: 0, toPort: 0, cidrBlocks: ["0.0.0.0/0"], ipv6CidrBlocks: ["::/0"] }],
      tags,
    },
    parent,
  );
  const instance = new aws.ec2.Instance(
    `${name}-instance`,
    {
      ami: image,
      instanceType: args.size,
      subnetId: subnet,
      vpcSecurityGroupIds: [securityGroup.id],
      keyName: keyPair.keyName,
      // The instance downloads packages before it has its Elastic IP.
      associatePublicIpAddress: true,
      ipv6AddressCount: args.ipv6 ? 1 : 0,
      userData: keys.userData(pulumi.interpolate`/dev/disk/by-id/${volume.id.apply(deviceOf)}`),
      userDataReplaceOnChange: true,
      metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
      rootBlockDevice: { volumeType: "gp3", volumeSize: 16, encrypted: true },
      tags,
    },
    {
      parent: host,
      // The next instance takes over the disk and the address.
      deleteBeforeReplace: true,
      additionalSecretOutputs: ["userData"],
      // Without a public address this input reads differently, and the instance would be replaced.
      ignoreChanges: ["associatePublicIpAddress"],
    },
  );
  const moved = { parent: host, deleteBeforeReplace: true };
  // If the volume can't move, as to another zone, the address must not be replaced either.
  const ip = new aws.ec2.Eip(`${name}-ip`, { domain: "vpc", tags }, { parent: host, dependsOn: volume });
  const association = new aws.ec2.EipAssociation(
    `${name}-ip-association`,
    { allocationId: ip.allocationId, instanceId: instance.id, allowReassociation: true },
    moved,
  );
  const attachment = new aws.ec2.VolumeAttachment(
    `${name}-data-attachment`,
    // A disk in use can't be detached from an instance that hangs, but it can once the instance is stopped.
    { volumeId: volume.id, instanceId: instance.id, deviceName: "/dev/sdf", stopInstanceBeforeDetaching: true },
    moved,
  );
  return { keys, instance, ip, joined: [association, attachment] };
}

function found(lookup: Promise<string>): Promise<Found> {
  return lookup.then(
    (value) => ({ value }),
    (error: unknown) => ({ value: "", reason: messageOf(error) }),
  );
}

async function imageOf(image: string, opts: pulumi.InvokeOptions): Promise<string> {
  return image.startsWith("ami-") ? image : (await aws.ssm.getParameter({ name: image }, opts)).insecureValue;
}

/** By default the first subnet of the default VPC in a zone that has this size. */
async function subnetOf({ size, subnet }: AwsDockerHostArgs, opts: pulumi.InvokeOptions): Promise<string> {
  if (subnet !== undefined) return subnet;
  const vpc = await aws.ec2.getVpc({ default: true }, opts);
  const bySize = { locationType: "availability-zone", filters: [{ name: "instance-type", values: [size] }] };
  const { locations } = await aws.ec2.getInstanceTypeOfferings(bySize, opts);
  const filters = [
    { name: "vpc-id", values: [vpc.id] },
    { name: "default-for-az", values: ["true"] },
    { name: "availability-zone", values: locations },
  ];
  const { ids } = await aws.ec2.getSubnets({ filters }, opts);
  const [first] = [...ids].sort();
  if (first !== undefined) return first;
  throw new Error(
    `host.subnet: the default VPC of this region has no subnet in a zone that has a ${size}. ` +
      `Name another subnet: ${configCommand("set", "host.subnet", "subnet-0123456789abcdef0")}. ` +
      inNewShell(pulumi.getStack()),
  );
}

/** The kernel's name for the NVMe device of a volume: it contains the volume's id without the dash. */
function deviceOf(volumeId: string): string {
  return `nvme-Amazon_Elastic_Block_Store_${volumeId.replace("-", "")}`;
}

function ingress(port: number, from: readonly string[]) {
  const isIpv6 = (network: string) => network.includes(":");
  return {
    protocol: "tcp",
    fromPort: port,
    toPort: port,
    cidrBlocks: from.filter((network) => !isIpv6(network)),
    ipv6CidrBlocks: from.filter(isIpv6),
  };
}
