import assert from "node:assert/strict";
import { join } from "node:path";

import { renderPolicy } from "../../clouds/aws/challenges.ts";
import type { AwsDockerHostArgs } from "../../clouds/aws/host.ts";
import type { Problem } from "../../settings/problems.ts";
import { Program } from "../testCloud/program.ts";
import { Account, type Instance, only } from "./account.ts";
import { Moto } from "./moto.ts";
import { awsPlugin } from "./plugin.ts";

const up = ["up", "--yes", "--skip-preview"] as const;
const destroy = ["destroy", "--yes", "--skip-preview"] as const;
const parameter = "/images/debian";
const nameTag = [{ Key: "Name", Value: "registry" }];

/** What a program of CommonJS writes for a module of this project. */
function component(path: string): string {
  return `(await import(${JSON.stringify(join(process.cwd(), "clouds/aws", `${path}.ts`))}))`;
}

/** A program that asks whether machines with these settings are available. */
function question(settings: readonly object[]): string {
  return `
    const all = ${JSON.stringify(settings)};
    module.exports = async () => {
      const { askAws } = ${component("ask")};
      return { problems: (await Promise.all(all.map((each) => askAws("registry", each)))).flat() };
    };
  `;
}

/** A program that creates this machine, and a record of its address. */
function source(args: AwsDockerHostArgs): string {
  return `
    module.exports = async () => {
      const { createMachine } = ${component("host")};
      const { Route53DnsRecord } = ${component("record")};
      const host = new pulumi.ComponentResource("privateregistry:index:AwsDockerHost", "registry");
      const { ip } = createMachine("registry", ${JSON.stringify(args)}, host);
      const record = { name: "registry.example.com", zone: "example.com", ttl: 300 };
      new Route53DnsRecord("registry-dns", { ...record, ipv4Address: ip.publicIp, ipv6Address: "2001:db8::1" });
    };
  `;
}

/** A rule of a security group, as AWS shows it. */
function rule(port: number, ipv4: readonly string[], ipv6: readonly string[]) {
  return {
    IpProtocol: "tcp",
    FromPort: port,
    ToPort: port,
    IpRanges: ipv4.map((CidrIp) => ({ CidrIp })),
    Ipv6Ranges: ipv6.map((CidrIpv6) => ({ CidrIpv6 })),
    UserIdGroupPairs: [],
    PrefixListIds: [],
  };
}

/**
 * What this project asks AWS for, with the real engine and provider, against an AWS that only remembers: nothing
 * boots. The provider silently drops a property with a wrong name, so the tests look at what AWS received.
 *
 * The steps depend on each other: each begins with the result of the one before.
 */
describe("the machine and the record in AWS", function () {
  this.timeout(5 * 60_000);

  let moto: Moto;
  let account: Account;
  let program: Program;
  /** The settings of the machine. Steps change them. */
  let args: AwsDockerHostArgs = {
    size: "t3.small",
    image: parameter,
    ipv6: false,
    dataSize: 50,
    sshFrom: ["203.0.113.7/32"],
    registryFrom: ["198.51.100.0/24", "2001:db8::/32"],
    ports: [5043, 5044],
    publicPorts: [],
    generation: 1,
  };
  /** The parameter's value, by generation. */
  let images: readonly [string, string];
  /** What outlives every instance. */
  let volumeId: string;
  let address: { readonly AllocationId: string; readonly PublicIp: string };
  let instanceId: string;

  before(async function () {
    this.timeout(60 * 60_000); // The plugin is built once.
    const plugin = await awsPlugin();
    moto = await Moto.start();
    account = new Account(moto);
    program = new Program({ ...moto.env, PATH: `${plugin}:${process.env["PATH"] ?? ""}` });
    await account.prepareSubnets();
    await account.createZone("example.com");
    images = [await account.createImage("first"), await account.createImage("second")];
    await account.setParameter(parameter, images[0]);
    await program.succeed("stack", "init");
  });

  after(async () => {
    program.dispose();
    await moto.stop();
  });

  async function change(changes: Partial<AwsDockerHostArgs>): Promise<void> {
    args = { ...args, ...changes };
    program.write(source(args));
    await program.succeed(...up);
  }

  /** Returns the only instance, which has the first disk and address; nothing else exists. */
  async function expectJoined(): Promise<Instance> {
    const instance = only(await account.instances());
    const { InstanceId, RootDeviceName } = instance;
    const attached = (await account.volumes()).map(({ VolumeId, Attachments }) => {
      const { InstanceId, Device } = only(Attachments);
      return { VolumeId, InstanceId, Device };
    });
    const others = attached.filter(({ Device }) => Device !== RootDeviceName);
    assert.deepEqual(others, [{ VolumeId: volumeId, InstanceId, Device: "/dev/sdf" }]);
    assert.equal(attached.length, 2);
    const { AllocationId, PublicIp, InstanceId: at } = only(await account.addresses());
    assert.deepEqual({ AllocationId, PublicIp, at }, { ...address, at: InstanceId });
    return instance;
  }

  async function expectReplaced(imageId: string): Promise<void> {
    const { InstanceId, ImageId } = await expectJoined();
    assert.notEqual(InstanceId, instanceId);
    assert.equal(ImageId, imageId);
    instanceId = InstanceId;
  }

  async function expectSame(): Promise<Instance> {
    const instance = await expectJoined();
    assert.equal(instance.InstanceId, instanceId);
    assert.equal(instance.State.Name, "running");
    return instance;
  }

  async function expectNoDrift(): Promise<void> {
    await account.mendGroups();
    await program.succeed(...up, "--refresh", "--expect-no-changes");
  }

  it("are checked beforehand, and an unknown value is reported by its setting", async () => {
    const settings = [
      { size: "t3.small" },
      { size: "t2.small" },
      { size: "t3.tiny", subnet: "subnet-0123456789abcdef0", image: "/images/windows" },
    ];
    program.write(question(settings.map((changes) => ({ ...args, ...changes }))));
    await program.succeed(...up);
    const { problems } = (await program.outputs()) as { problems: Problem[] };
    assert.deepEqual(
      problems.map(({ setting, wrong }) => `${setting}: ${wrong}`),
      [
        'host.size: "t2.small" is of an old generation, whose disks are not NVMe devices',
        'host.size: "t3.tiny" is not an instance type in this region',
        'host.subnet: there is no "subnet-0123456789abcdef0" in this region',
        'host.image: there is no SSM parameter "/images/windows" in this region',
      ],
    );
  });

  it("comes up", async () => {
    await change({});
    const { AllocationId, PublicIp } = only(await account.addresses());
    address = { AllocationId, PublicIp };
    volumeId = only((await account.volumes()).filter(({ Tags }) => Tags)).VolumeId;
    instanceId = (await expectJoined()).InstanceId;
  });

  it("has the instance that was asked for", async () => {
    const { ImageId, InstanceType, SubnetId, KeyName, PublicIpAddress, MetadataOptions, NetworkInterfaces, Tags } =
      await expectSame();
    const { Groups, Ipv6Addresses } = only(NetworkInterfaces);
    const subnets = await account.subnets();
    assert.deepEqual(
      { ImageId, InstanceType, SubnetId, KeyName, PublicIpAddress, Tags, Ipv6Addresses },
      {
        ImageId: images[0],
        InstanceType: "t3.small",
        SubnetId: subnets.map((subnet) => subnet.SubnetId).sort()[0],
        KeyName: only(await account.keyPairs()).KeyName,
        PublicIpAddress: address.PublicIp,
        Tags: nameTag,
        Ipv6Addresses: [],
      },
    );
    assert.equal(only(Groups).GroupId, only(await account.groups()).GroupId);
    const { HttpEndpoint, HttpTokens, HttpPutResponseHopLimit } = MetadataOptions;
    assert.deepEqual([HttpEndpoint, HttpTokens, HttpPutResponseHopLimit], ["enabled", "required", 1]);
  });

  it("has the disks that were asked for", async () => {
    const { SubnetId, RootDeviceName } = await expectSame();
    const subnet = (await account.subnets()).find((each) => each.SubnetId === SubnetId);
    const disks = (await account.volumes()).map(
      ({ Size, VolumeType, Encrypted, AvailabilityZone, Tags, Attachments }) => {
        return { Size, VolumeType, Encrypted, AvailabilityZone, Tags, Device: only(Attachments).Device };
      },
    );
    const common = { VolumeType: "gp3", Encrypted: true, AvailabilityZone: subnet?.AvailabilityZone };
    assert.deepEqual(
      disks.sort((a, b) => a.Size - b.Size),
      [
        { ...common, Size: 16, Device: RootDeviceName, Tags: undefined },
        { ...common, Size: 50, Device: "/dev/sdf", Tags: [{ Key: "Name", Value: "registry-data" }] },
      ],
    );
  });

  it("names in the user data who signs in, and which disk is the instance's own", async () => {
    const text = await account.userData(instanceId);
    const { PublicKey, Tags } = only(await account.keyPairs());
    assert.match(text, /^#cloud-config\n/);
    assert.ok(text.includes(`restrict,pty ${PublicKey.trim()}\n`));
    assert.ok(text.includes(`DISK=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${volumeId.replace("-", "")}\n`));
    assert.match(text, /GENERATION=1\n/);
    assert.deepEqual(Tags, nameTag);
  });

  it("admits the allowed networks, and lets everything out", async () => {
    const { VpcId, Description, IpPermissions, IpPermissionsEgress, Tags } = only(await account.groups());
    assert.equal(VpcId, (await account.subnets())[0]?.VpcId);
    assert.equal(Description, "A private registry: SSH and its endpoints");
    assert.deepEqual(Tags, nameTag);
    const registry = [["198.51.100.0/24"], ["2001:db8::/32"]] as const;
    const rules = [rule(22, ["203.0.113.7/32"], []), rule(5043, ...registry), rule(5044, ...registry)];
    assert.deepEqual(new Set(IpPermissions), new Set(rules));
    assert.deepEqual(IpPermissionsEgress, [
      {
        IpProtocol: "-1",
        IpRanges: [{ CidrIp: "0.0.0.0/0" }],
        Ipv6Ranges: [{ CidrIpv6: "::/0" }],
        UserIdGroupPairs: [],
        PrefixListIds: [],
      },
    ]);
  });

  it("has an address and the records", async () => {
    const { Domain, Tags } = only(await account.addresses());
    assert.deepEqual({ Domain, Tags }, { Domain: "vpc", Tags: nameTag });
    const record = { Name: "registry.example.com.", TTL: 300 };
    assert.deepEqual(await account.records(), [
      { ...record, Type: "A", ResourceRecords: [{ Value: address.PublicIp }] },
      { ...record, Type: "AAAA", ResourceRecords: [{ Value: "2001:db8::1" }] },
    ]);
  });

  it("shows no changes, even when the parameter has another image", async () => {
    await account.setParameter(parameter, images[1]);
    await program.succeed(...up, "--expect-no-changes");
  });

  it("shows no changes against what really exists", () => expectNoDrift());

  it("replaces the instance for another generation, with the parameter's image of that time", async () => {
    await change({ generation: 2 });
    await expectReplaced(images[1]);
    assert.match(await account.userData(instanceId), /GENERATION=2\n/);
  });

  it("replaces the instance for another image", async () => {
    await change({ image: images[0] });
    await expectReplaced(images[0]);
  });

  it("changes the firewall in place", async () => {
    const { GroupId } = only(await account.groups());
    await change({ sshFrom: ["203.0.113.0/24", "2001:db8:1::/48"], ports: [5043] });
    const group = only(await account.groups());
    assert.equal(group.GroupId, GroupId);
    const rules = [
      rule(22, ["203.0.113.0/24"], ["2001:db8:1::/48"]),
      rule(5043, ["198.51.100.0/24"], ["2001:db8::/32"]),
    ];
    assert.deepEqual(new Set(group.IpPermissions), new Set(rules));
    await expectSame();
  });

  it("grows the data disk in place", async () => {
    await change({ dataSize: 60 });
    await expectSame();
    const disk = (await account.volumes()).find(({ VolumeId }) => VolumeId === volumeId);
    assert.equal(disk?.Size, 60);
  });

  it("changes the size in place", async () => {
    await change({ size: "t3.medium" });
    assert.equal((await expectSame()).InstanceType, "t3.medium");
  });

  it("adds IPv6 in place", async () => {
    await change({ ipv6: true });
    const { Ipv6Addresses } = only((await expectSame()).NetworkInterfaces);
    assert.equal(Ipv6Addresses.length, 1);
  });

  it("shows no changes against the result of all that", () => expectNoDrift());

  it("takes its address back", async () => {
    const { AssociationId } = only(await account.addresses());
    await account.call("ec2", "disassociate_address", { AssociationId });
    // The one that the instance had before the Elastic IP.
    const { PublicIpAddress } = only(await account.instances());
    assert.match(PublicIpAddress, /^\d/);
    assert.notEqual(PublicIpAddress, address.PublicIp);
    await program.succeed(...up, "--refresh");
    assert.equal((await expectSame()).PublicIpAddress, address.PublicIp);
  });

  it("refuses a subnet in another zone than the data disk", async () => {
    const { SubnetId } = await expectSame();
    const subnet = (await account.subnets()).find((each) => each.SubnetId !== SubnetId)?.SubnetId;
    program.write(source({ ...args, subnet }));
    const { code, output } = await program.pulumi(up);
    assert.notEqual(code, 0);
    assert.match(output, /unable to replace resource "[^"]*registry-data"/);
    await expectSame();
    program.write(source(args));
  });

  it("leaves nothing but the data disk", async () => {
    await program.succeed(...destroy, "--exclude-protected");
    assert.equal(only(await account.volumes()).VolumeId, volumeId);
    assert.deepEqual(await account.everythingElse(), []);
  });

  it("comes up again with the same data disk", async () => {
    await program.succeed(...up);
    const { AllocationId, PublicIp } = only(await account.addresses());
    address = { AllocationId, PublicIp };
    await expectReplaced(images[0]);
  });

  it("leaves nothing once the disk is no longer protected", async () => {
    await program.succeed("state", "unprotect", "--all", "--yes");
    await program.succeed(...destroy);
    assert.deepEqual(await account.volumes(), []);
    assert.deepEqual(await account.everythingElse(), []);
  });
});

describe("the user of AWS who answers an authority's challenges", function () {
  this.timeout(5 * 60_000);

  let account: Account;
  let moto: Moto;
  let program: Program;

  before(async function () {
    this.timeout(60 * 60_000);
    const plugin = await awsPlugin();
    moto = await Moto.start();
    account = new Account(moto);
    program = new Program({ ...moto.env, PATH: `${plugin}:${process.env["PATH"] ?? ""}` });
    await account.createZone("example.com");
    await program.succeed("stack", "init");
  });

  after(async () => {
    program.dispose();
    await moto.stop();
  });

  const write = (names: readonly string[]) =>
    program.write(`
      module.exports = async () => {
        const { Route53Challenges } = ${component("challenges")};
        return new Route53Challenges("registry", { zone: "example.com", names: ${JSON.stringify(names)} }).access;
      };
    `);

  it("comes up with a key and the rights for the records of some names, which change in place", async () => {
    write(["registry.example.com"]);
    await program.succeed(...up);
    const access = await program.outputs();
    const { UserName } = only(await account.users());
    const { AccessKeyId } = only(await account.accessKeys(UserName));
    assert.equal(access["AWS_ACCESS_KEY_ID"], AccessKeyId);
    assert.match(String(access["AWS_SECRET_ACCESS_KEY"]), /^[\w+/]{40}$/);
    assert.match(JSON.stringify(await account.policy(UserName)), /"_acme-challenge\.registry\.example\.com"/);
    await program.succeed(...up, "--refresh", "--expect-no-changes");

    write(["*.example.com", "b.example.com"]);
    await program.succeed(...up);
    assert.deepEqual(await program.outputs(), access);
    const records = ["_acme-challenge.example.com", "_acme-challenge.b.example.com"];
    const policy = JSON.parse(renderPolicy(String(access["AWS_HOSTED_ZONE_ID"]), records)) as unknown;
    assert.deepEqual(await account.policy(UserName), policy);
  });

  it("leaves nothing", async () => {
    await program.succeed(...destroy);
    assert.deepEqual(await account.users(), []);
  });
});
