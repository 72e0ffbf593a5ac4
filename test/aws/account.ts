import assert from "node:assert/strict";

import type { Moto } from "./moto.ts";

type Tags = readonly { readonly Key: string; readonly Value: string }[];

interface Reservation {
  readonly Instances: readonly Instance[];
}

export interface Instance {
  readonly InstanceId: string;
  readonly State: { readonly Name: string };
  readonly ImageId: string;
  readonly InstanceType: string;
  readonly SubnetId: string;
  readonly KeyName: string;
  readonly PublicIpAddress: string;
  readonly MetadataOptions: Readonly<Record<string, unknown>>;
  readonly NetworkInterfaces: readonly NetworkInterface[];
  readonly RootDeviceName: string;
  readonly Tags: Tags;
}

interface NetworkInterface {
  readonly Groups: readonly { readonly GroupId: string }[];
  readonly Ipv6Addresses: readonly { readonly Ipv6Address: string }[];
}

interface Volume {
  readonly VolumeId: string;
  readonly Size: number;
  readonly VolumeType: string;
  readonly Encrypted: boolean;
  readonly AvailabilityZone: string;
  readonly Attachments: readonly { readonly InstanceId: string; readonly Device: string }[];
  readonly Tags?: Tags;
}

interface Address {
  readonly AllocationId: string;
  readonly AssociationId?: string;
  readonly InstanceId: string;
  readonly PublicIp: string;
  readonly Domain: string;
  readonly Tags: Tags;
}

interface Group {
  readonly GroupId: string;
  readonly GroupName: string;
  readonly VpcId: string;
  readonly Description: string;
  readonly IpPermissions: readonly unknown[];
  readonly IpPermissionsEgress: readonly unknown[];
  readonly Tags: Tags;
}

interface KeyPair {
  readonly KeyName: string;
  readonly PublicKey: string;
  readonly Tags: Tags;
}

interface Subnet {
  readonly SubnetId: string;
  readonly VpcId: string;
  readonly AvailabilityZone: string;
}

interface Zone {
  readonly Id: string;
}

interface DnsRecord {
  readonly Name: string;
  readonly Type: string;
}

/** The content of an AWS account, in Amazon's own terms. */
export class Account {
  private readonly moto: Moto;

  constructor(moto: Moto) {
    this.moto = moto;
  }

  call(service: string, operation: string, parameters?: object): Promise<Partial<Record<string, unknown>>> {
    return this.moto.call(service, operation, parameters);
  }

  private async list<T>(service: string, operation: string, key: string, parameters?: object): Promise<T[]> {
    return (await this.call(service, operation, parameters))[key] as T[];
  }

  subnets(): Promise<Subnet[]> {
    return this.list("ec2", "describe_subnets", "Subnets");
  }

  /** All that still exist. */
  async instances(): Promise<Instance[]> {
    const reservations = await this.list<Reservation>("ec2", "describe_instances", "Reservations");
    return reservations.flatMap(({ Instances }) => Instances).filter(({ State }) => State.Name !== "terminated");
  }

  async userData(InstanceId: string): Promise<string> {
    const parameters = { InstanceId, Attribute: "userData" };
    const { UserData } = await this.call("ec2", "describe_instance_attribute", parameters);
    return Buffer.from((UserData as { Value: string }).Value, "base64").toString();
  }

  volumes(): Promise<Volume[]> {
    return this.list("ec2", "describe_volumes", "Volumes");
  }

  addresses(): Promise<Address[]> {
    return this.list("ec2", "describe_addresses", "Addresses");
  }

  keyPairs(): Promise<KeyPair[]> {
    return this.list("ec2", "describe_key_pairs", "KeyPairs", { IncludePublicKey: true });
  }

  /** All except the one that every network has. */
  async groups(): Promise<Group[]> {
    const all = await this.list<Group>("ec2", "describe_security_groups", "SecurityGroups");
    return all.filter(({ GroupName }) => GroupName !== "default");
  }

  /** All except those that every zone has. */
  async records(): Promise<DnsRecord[]> {
    const { Id: HostedZoneId } = only(await this.list<Zone>("route53", "list_hosted_zones", "HostedZones"));
    const key = "ResourceRecordSets";
    const all = await this.list<DnsRecord>("route53", "list_resource_record_sets", key, { HostedZoneId });
    return all.filter(({ Type }) => Type !== "NS" && Type !== "SOA");
  }

  /** Everything that costs money or answers, except the disks. */
  async everythingElse(): Promise<unknown[]> {
    const lists = [this.instances(), this.addresses(), this.keyPairs(), this.groups(), this.records()];
    return (await Promise.all<unknown[]>(lists)).flat();
  }

  users(): Promise<{ readonly UserName: string }[]> {
    return this.list("iam", "list_users", "Users");
  }

  accessKeys(UserName: string): Promise<{ readonly AccessKeyId: string }[]> {
    return this.list("iam", "list_access_keys", "AccessKeyMetadata", { UserName });
  }

  /** A user's only policy. */
  async policy(UserName: string): Promise<unknown> {
    const PolicyName = only(await this.list<string>("iam", "list_user_policies", "PolicyNames", { UserName }));
    const { PolicyDocument } = await this.call("iam", "get_user_policy", { UserName, PolicyName });
    return PolicyDocument;
  }

  async createZone(Name: string): Promise<void> {
    await this.call("route53", "create_hosted_zone", { Name, CallerReference: Name });
  }

  async createImage(Name: string): Promise<string> {
    const { ImageId } = await this.call("ec2", "register_image", { Name, RootDeviceName: "/dev/xvda" });
    return ImageId as string;
  }

  async setParameter(Name: string, Value: string): Promise<void> {
    await this.call("ssm", "put_parameter", { Name, Value, Type: "String", Overwrite: true });
  }

  /** Gives the subnets IPv6, and instances an address only on request. */
  async prepareSubnets(): Promise<void> {
    const subnets = await this.subnets();
    const parameters = { VpcId: subnets[0]?.VpcId, AmazonProvidedIpv6CidrBlock: true };
    const { Ipv6CidrBlockAssociation } = await this.call("ec2", "associate_vpc_cidr_block", parameters);
    const { Ipv6CidrBlock: network } = Ipv6CidrBlockAssociation as { Ipv6CidrBlock: string };
    for (const [i, { SubnetId }] of subnets.entries()) {
      const Ipv6CidrBlock = network.replace("0::/56", `${String(i)}::/64`);
      await this.call("ec2", "associate_subnet_cidr_block", { SubnetId, Ipv6CidrBlock });
      await this.call("ec2", "modify_subnet_attribute", { SubnetId, MapPublicIpOnLaunch: { Value: false } });
    }
  }

  /** moto forgets the groups of an instance that got them with its network interface. AWS doesn't. */
  async mendGroups(): Promise<void> {
    for (const { InstanceId, NetworkInterfaces } of await this.instances()) {
      const Groups = NetworkInterfaces.flatMap((network) => network.Groups.map(({ GroupId }) => GroupId));
      await this.call("ec2", "modify_instance_attribute", { InstanceId, Groups });
    }
  }
}

/** The only element of a list. */
export function only<T>(all: readonly T[]): T {
  const [first, ...others] = all;
  assert.ok(first !== undefined && others.length === 0, `${String(all.length)} instead of one`);
  return first;
}
