import { createHash, randomBytes, randomUUID } from "node:crypto";

import type * as sdk from "@pulumi/aws";

import type { Disk } from "./disks.ts";
import type { DnsRecord } from "./dns.ts";
import { type Call, type Credentials, type Inputs, Kind, names, type Provider, Refusal, type Thing } from "./kinds.ts";
import type { Machine } from "./machines.ts";
import type { Metadata } from "./metadata.ts";
import type { Filter, Rule } from "./network.ts";
import type { World } from "./world.ts";

type Instance = Thing<sdk.ec2.InstanceArgs, sdk.ec2.Instance>;
type InstanceInputs = Inputs<sdk.ec2.InstanceArgs>;
type SecurityGroupInputs = Inputs<sdk.ec2.SecurityGroupArgs>;
type Filters = { readonly name: string; readonly values: readonly string[] }[] | undefined;

const accountId = "123456789012";

/** The public parameters that hold an image, by what their names begin with, and who signs in to such a machine. */
const publishers = [
  { prefix: "/aws/service/debian/", user: "admin" },
  { prefix: "/aws/service/canonical/ubuntu/", user: "ubuntu" },
];

/** The instance types, available in every zone, and whether their disks are NVMe devices. */
const instanceTypes = new Map([
  ["t2.small", "unsupported"],
  ["t3.small", "required"],
  ["t3.medium", "required"],
]);

/** AWS, the part for a machine with a disk, an address, a firewall and DNS records: one region of one account. */
export class Aws implements Provider {
  readonly settings = names<sdk.ProviderArgs>(
    ...(["accessKey", "secretKey", "token", "region", "profile", "defaultTags", "allowedAccountIds"] as const),
    ...(["skipCredentialsValidation", "skipMetadataApiCheck", "skipRegionValidation"] as const),
    ...(["skipRequestingAccountId"] as const),
  );

  readonly region = "eu-central-1";
  readonly accessKey = `AKIA${randomBytes(8).toString("hex").toUpperCase()}`;

  /** How many the account may have. */
  readonly limits = { instances: 5, addresses: 5 };

  /** How many requests it still answers before it refuses more. */
  requestsLeft = Infinity;

  /** A higher number releases a new version of every image. */
  imageRelease = 1;

  private readonly vpcId = newId("vpc");
  private readonly zonesOfRegion = ["a", "b", "c"].map((letter) => ({
    zone: this.region + letter,
    subnet: newId("subnet"),
  }));
  private readonly hostedZones: { readonly name: string; readonly zoneId: string }[];
  /** Who signs in to a machine of an image. */
  private readonly logins = new Map<string, string>();
  private readonly disks = new Map<string, Disk>();
  /** The addresses that instances got automatically. */
  private readonly publicIps = new Map<string, string>();
  private readonly world: World;
  readonly secretKey: string;

  /** @param zones The public hosted zones that the account has. */
  constructor(world: World, secretKey: string, zones: readonly string[]) {
    this.world = world;
    this.secretKey = secretKey;
    this.hostedZones = zones.map((name) => ({ name, zoneId: `Z${randomBytes(10).toString("hex").toUpperCase()}` }));
  }

  readonly keyPairs = new Kind<sdk.ec2.KeyPairArgs, sdk.ec2.KeyPair>({
    noun: "EC2 Key Pair",
    replacedBy: ["keyName", "publicKey"],
    changedBy: ["tags"],
    autoName: "keyName",
    computed: ["arn", "fingerprint", "keyPairId", "keyType"],
    create: ({ keyName = "", publicKey }) => {
      const isTaken = this.keyPairs.all.some(({ id }) => id === keyName);
      if (isTaken) throw new Refusal("InvalidKeyPair.Duplicate", "The keypair already exists");
      if (!/^ssh-(ed25519|rsa) /.test(publicKey)) {
        throw new Refusal("InvalidKey.Format", "Key is not in valid OpenSSH public key format");
      }
      const fingerprint = createHash("sha256").update(publicKey).digest("base64");
      const state = {
        arn: this.arn("ec2", `key-pair/${keyName}`),
        fingerprint,
        keyPairId: newId("key"),
        keyType: "ed25519",
      };
      return Promise.resolve({ id: keyName, state });
    },
  });

  readonly securityGroups = new Kind<sdk.ec2.SecurityGroupArgs, sdk.ec2.SecurityGroup>({
    noun: "Security Group",
    replacedBy: ["name", "description", "vpcId"],
    changedBy: ["ingress", "egress", "tags", "revokeRulesOnDelete"],
    within: {
      ingress: names<sdk.types.input.ec2.SecurityGroupIngress>(
        ...(["protocol", "fromPort", "toPort", "cidrBlocks", "ipv6CidrBlocks", "description"] as const),
      ),
      egress: names<sdk.types.input.ec2.SecurityGroupEgress>(
        ...(["protocol", "fromPort", "toPort", "cidrBlocks", "ipv6CidrBlocks", "description"] as const),
      ),
    },
    autoName: "name",
    computed: ["arn", "ownerId", "vpcId", "description"],
    create: (inputs) => {
      this.checkGroup(inputs);
      const id = newId("sg");
      const { vpcId = this.vpcId, description = "Managed by Pulumi" } = inputs;
      return Promise.resolve({ id, state: { arn: this.arn("ec2", id), ownerId: accountId, vpcId, description } });
    },
    update: async (group, inputs) => {
      const groups = this.securityGroups.all.map((each) => ({
        id: each.id,
        inputs: each === group ? inputs : each.inputs,
      }));
      for (const instance of this.instances.all) {
        await this.machineOf(instance.id)?.guard(this.filterOf(instance.inputs, groups));
      }
    },
    delete: ({ id }) => {
      const isUsed = this.instances.all.some(({ inputs }) => inputs.vpcSecurityGroupIds?.includes(id));
      if (isUsed) throw new Refusal("DependencyViolation", `resource ${id} has a dependent object`);
      return Promise.resolve();
    },
  });

  readonly instances = new Kind<sdk.ec2.InstanceArgs, sdk.ec2.Instance>({
    noun: "EC2 Instance",
    replacedBy: ["ami", "subnetId", "keyName", "associatePublicIpAddress", "availabilityZone"],
    changedBy: [
      ...(["instanceType", "vpcSecurityGroupIds", "userData", "userDataReplaceOnChange", "metadataOptions"] as const),
      ...(["rootBlockDevice", "ipv6AddressCount", "tags"] as const),
    ],
    within: {
      metadataOptions: names<sdk.types.input.ec2.InstanceMetadataOptions>(
        ...(["httpEndpoint", "httpTokens", "httpPutResponseHopLimit"] as const),
      ),
      rootBlockDevice: names<sdk.types.input.ec2.InstanceRootBlockDevice>(
        ...(["volumeType", "volumeSize", "encrypted", "deleteOnTermination", "tags"] as const),
      ),
    },
    computed: [
      ...(["arn", "availabilityZone", "subnetId", "instanceState", "associatePublicIpAddress"] as const),
      ...(["publicIp", "privateIp", "ipv6Addresses"] as const),
    ],
    compare: (olds, news) => [
      ...(news.userDataReplaceOnChange === true && olds.userData !== news.userData ? (["userData"] as const) : []),
      ...(olds.rootBlockDevice?.encrypted !== news.rootBlockDevice?.encrypted ? (["rootBlockDevice"] as const) : []),
    ],
    create: (inputs) => this.runInstance(inputs),
    update: (instance, inputs) => this.modifyInstance(instance, inputs),
    delete: async ({ id }) => {
      const machine = this.machineOf(id);
      if (machine) await this.world.machines.remove(machine);
      for (const attached of this.attachments.all.filter(({ inputs }) => inputs.instanceId === id)) {
        await this.attachments.delete(attached.id);
      }
      for (const associated of this.associations.all.filter(({ inputs }) => inputs.instanceId === id)) {
        await this.associations.delete(associated.id);
      }
      this.releasePublicIp(id);
    },
  });

  readonly volumes = new Kind<sdk.ebs.VolumeArgs, sdk.ebs.Volume>({
    noun: "EBS Volume",
    replacedBy: ["availabilityZone", "encrypted"],
    changedBy: ["size", "type", "iops", "throughput", "tags"],
    computed: ["arn"],
    create: async ({ availabilityZone, size }) => {
      if (!this.zonesOfRegion.some(({ zone }) => zone === availabilityZone)) {
        throw new Refusal("InvalidZone.NotFound", `The zone '${availabilityZone}' does not exist.`);
      }
      if (size === undefined)
        throw new Refusal("MissingParameter", "The request must contain the parameter size/snapshot");
      const id = newId("vol");
      this.disks.set(id, await this.world.disks.create(id, size));
      return { id, state: { arn: this.arn("ec2", `volume/${id}`) } };
    },
    update: async ({ id, inputs }, { size = 0 }) => {
      if (size < (inputs.size ?? 0)) {
        throw new Refusal("InvalidParameterValue", "New size cannot be smaller than existing size");
      }
      await this.disks.get(id)?.grow(size);
    },
    delete: async ({ id }) => {
      const attached = this.attachments.all.find(({ inputs }) => inputs.volumeId === id);
      if (attached) {
        throw new Refusal("VolumeInUse", `Volume ${id} is currently attached to ${attached.inputs.instanceId}`);
      }
      const disk = this.disks.get(id);
      this.disks.delete(id);
      if (disk) await this.world.disks.remove(disk);
    },
  });

  readonly attachments = new Kind<sdk.ec2.VolumeAttachmentArgs, sdk.ec2.VolumeAttachment>({
    noun: "EBS Volume Attachment",
    // It is deleted with its instance, which can no longer be stopped.
    gone: () => new Refusal("IncorrectInstanceState", "This instance is not in a state from which it can be stopped."),
    replacedBy: ["deviceName", "instanceId", "volumeId"],
    changedBy: ["forceDetach", "skipDestroy", "stopInstanceBeforeDetaching"],
    computed: [],
    create: async ({ deviceName, instanceId, volumeId }) => {
      const machine = this.machineOf(this.instance(instanceId).id);
      const disk = this.disks.get(volumeId);
      if (disk === undefined) throw new Refusal("InvalidVolume.NotFound", `The volume '${volumeId}' does not exist.`);
      const attached = this.attachmentOf(deviceName, instanceId, volumeId);
      if (attached !== undefined) return { id: attached, state: {} };
      await machine?.plug(disk, `nvme-Amazon_Elastic_Block_Store_${volumeId.replace("-", "")}`);
      return { id: `vai-${String(randomBytes(4).readUInt32BE())}`, state: {} };
    },
    delete: async ({ inputs: { instanceId, volumeId, skipDestroy, stopInstanceBeforeDetaching } }) => {
      const machine = this.machineOf(instanceId);
      const disk = this.disks.get(volumeId);
      if (skipDestroy === true || machine === undefined || disk === undefined) return;
      if (stopInstanceBeforeDetaching === true) await machine.powerOff();
      await machine.unplug(disk);
    },
  });

  readonly addresses = new Kind<sdk.ec2.EipArgs, sdk.ec2.Eip>({
    noun: "EC2 EIP",
    replacedBy: ["domain"],
    changedBy: ["tags"],
    computed: ["allocationId", "publicIp", "arn", "associationId", "instance", "domain"],
    create: () => {
      if (this.addresses.all.length >= this.limits.addresses) {
        throw new Refusal("AddressLimitExceeded", "The maximum number of addresses has been reached.");
      }
      const id = newId("eipalloc");
      const publicIp = this.world.network.allocate();
      const arn = this.arn("ec2", `elastic-ip/${id}`);
      const state = { allocationId: id, publicIp, arn, associationId: "", instance: "", domain: "vpc" };
      return Promise.resolve({ id, state });
    },
    delete: ({ id, state }) => {
      const isAssociated = this.associations.all.some(({ inputs }) => inputs.allocationId === id);
      if (isAssociated) throw new Refusal("InvalidIPAddress.InUse", `The address ${id} is in use.`);
      this.world.network.free(state.publicIp ?? "");
      return Promise.resolve();
    },
  });

  readonly associations = new Kind<sdk.ec2.EipAssociationArgs, sdk.ec2.EipAssociation>({
    noun: "EC2 EIP Association",
    replacedBy: ["allocationId", "instanceId", "allowReassociation"],
    changedBy: [],
    computed: ["privateIpAddress", "publicIp"],
    create: async ({ allocationId = "", instanceId = "", allowReassociation }) => {
      const address = this.addresses.get(allocationId);
      if (address === undefined) {
        throw new Refusal("InvalidAllocationID.NotFound", `The allocation ID '${allocationId}' does not exist`);
      }
      const instance = this.instance(instanceId);
      const before = this.associations.all.find(({ inputs }) => inputs.allocationId === allocationId);
      if (before && allowReassociation !== true) {
        const taken = `resource ${allocationId} is already associated with associate-id ${before.id}`;
        throw new Refusal("Resource.AlreadyAssociated", taken);
      }
      if (before) await this.associations.delete(before.id);
      return this.associate(address, instance);
    },
    delete: async ({ inputs: { allocationId, instanceId } }) => {
      const address = this.addresses.get(allocationId);
      if (address) Object.assign(address.state, { associationId: "", instance: "" });
      const instance = this.instances.get(instanceId);
      if (instance) instance.state.publicIp = "";
      await this.machineOf(instanceId)?.removeAddress(address?.state.publicIp ?? "");
    },
  });

  readonly records = new Kind<sdk.route53.RecordArgs, sdk.route53.Record>({
    noun: "Route53 Record",
    replacedBy: ["zoneId", "name"],
    changedBy: ["type", "ttl", "records", "allowOverwrite"],
    computed: ["fqdn"],
    create: async (inputs) => {
      const { zoneId, type, allowOverwrite } = inputs;
      const record = this.recordOf(inputs);
      const id = `${zoneId}_${record.name}_${type}`;
      const isTaken = this.records.all.some((each) => each.id === id);
      if (isTaken && allowOverwrite !== true) {
        const tried = `[Tried to create resource record set [name='${record.name}.', type='${type}'] but it already exists]`;
        throw new Refusal("InvalidChangeBatch", tried);
      }
      await this.world.dns.set(id, record);
      return { id, state: { fqdn: record.name } };
    },
    update: ({ id }, inputs) => this.world.dns.set(id, this.recordOf(inputs)),
    delete: ({ id }) => this.world.dns.delete(id),
  });

  readonly users = new Kind<sdk.iam.UserArgs, sdk.iam.User>({
    noun: "IAM User",
    replacedBy: ["path"],
    changedBy: ["name", "forceDestroy", "tags"],
    autoName: "name",
    computed: ["arn", "uniqueId"],
    create: ({ name = "" }) => {
      const isTaken = this.users.all.some(({ id }) => id === name);
      if (isTaken) throw new Refusal("EntityAlreadyExists", `User with name ${name} already exists.`);
      const arn = `arn:aws:iam::${accountId}:user/${name}`;
      return Promise.resolve({ id: name, state: { arn, uniqueId: newId("AIDA") } });
    },
    delete: ({ id, inputs }) => {
      const isUsed = [...this.accessKeys.all, ...this.userPolicies.all].some(({ inputs: { user } }) => user === id);
      if (isUsed && inputs.forceDestroy !== true)
        throw new Refusal("DeleteConflict", "Cannot delete entity, must delete access keys first.");
      return Promise.resolve();
    },
  });

  readonly userPolicies = new Kind<sdk.iam.UserPolicyArgs, sdk.iam.UserPolicy>({
    noun: "IAM User Policy",
    replacedBy: ["name", "user"],
    changedBy: ["policy"],
    autoName: "name",
    computed: [],
    create: ({ name = "", user }) => {
      this.user(user);
      return Promise.resolve({ id: `${user}:${name}`, state: {} });
    },
  });

  readonly accessKeys = new Kind<sdk.iam.AccessKeyArgs, sdk.iam.AccessKey>({
    noun: "IAM Access Key",
    replacedBy: ["user"],
    changedBy: ["status"],
    computed: ["secret", "sesSmtpPasswordV4", "createDate"],
    create: ({ user }) => {
      this.user(user);
      if (this.accessKeys.all.filter(({ inputs }) => inputs.user === user).length >= 2)
        throw new Refusal("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2");
      const state = {
        secret: randomBytes(30).toString("base64"),
        sesSmtpPasswordV4: randomBytes(30).toString("base64"),
      };
      return Promise.resolve({ id: `AKIA${randomBytes(8).toString("hex").toUpperCase()}`, state });
    },
  });

  readonly kinds = {
    "aws:iam/user:User": this.users,
    "aws:iam/userPolicy:UserPolicy": this.userPolicies,
    "aws:iam/accessKey:AccessKey": this.accessKeys,
    "aws:ec2/keyPair:KeyPair": this.keyPairs,
    "aws:ec2/securityGroup:SecurityGroup": this.securityGroups,
    "aws:ec2/instance:Instance": this.instances,
    "aws:ebs/volume:Volume": this.volumes,
    "aws:ec2/volumeAttachment:VolumeAttachment": this.attachments,
    "aws:ec2/eip:Eip": this.addresses,
    "aws:ec2/eipAssociation:EipAssociation": this.associations,
    "aws:route53/record:Record": this.records,
  };

  readonly functions = {
    "aws:index/getRegion:getRegion": (): Partial<sdk.GetRegionResult> => ({ region: this.region }),
    "aws:ssm/getParameter:getParameter": ({ name }: sdk.ssm.GetParameterArgs): Partial<sdk.ssm.GetParameterResult> => {
      const value = this.imageOf(name);
      return { id: name, name, type: "String", version: 1, value, insecureValue: value };
    },
    "aws:ec2/getVpc:getVpc": (args: sdk.ec2.GetVpcArgs): Partial<sdk.ec2.GetVpcResult> => {
      if (args.default !== true && args.id !== this.vpcId) throw new Error("no matching EC2 VPC found");
      return {
        id: this.vpcId,
        default: true,
        cidrBlock: this.world.network.subnet,
        arn: this.arn("ec2", `vpc/${this.vpcId}`),
      };
    },
    "aws:ec2/getInstanceType:getInstanceType": ({
      instanceType,
    }: sdk.ec2.GetInstanceTypeArgs): Partial<sdk.ec2.GetInstanceTypeResult> => {
      const ebsNvmeSupport = instanceTypes.get(instanceType);
      if (ebsNvmeSupport === undefined) {
        const words = `The following supplied instance types do not exist: [${instanceType}]`;
        throw new Refusal("InvalidInstanceType", words);
      }
      return { id: instanceType, instanceType, ebsNvmeSupport };
    },
    "aws:ec2/getInstances:getInstances": ({
      instanceTags = {},
    }: sdk.ec2.GetInstancesArgs): Partial<sdk.ec2.GetInstancesResult> => {
      const tagged = this.instances.all.filter(({ inputs }) => inputs.tags?.["Name"] === instanceTags["Name"]);
      return { id: this.region, ids: tagged.map(({ id }) => id) };
    },
    "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": ({
      filters,
    }: sdk.ec2.GetInstanceTypeOfferingsArgs): Partial<sdk.ec2.GetInstanceTypeOfferingsResult> => {
      const wanted = filters?.find(({ name }) => name === "instance-type")?.values ?? [];
      const isThere = wanted.some((type) => instanceTypes.has(type));
      return { id: this.region, locations: isThere ? this.zonesOfRegion.map(({ zone }) => zone) : [] };
    },
    "aws:ec2/getSubnets:getSubnets": (args: sdk.ec2.GetSubnetsArgs): Partial<sdk.ec2.GetSubnetsResult> => ({
      id: this.region,
      ids: this.subnets(args.filters).map(({ subnet }) => subnet),
    }),
    "aws:ec2/getSubnet:getSubnet": (args: sdk.ec2.GetSubnetArgs): Partial<sdk.ec2.GetSubnetResult> => {
      const [first, ...others] = this.subnets(args.filters).filter(
        ({ zone, subnet }) => subnet === (args.id ?? subnet) && zone === (args.availabilityZone ?? zone),
      );
      if (first === undefined) throw new Error("no matching EC2 Subnet found");
      if (others.length > 0)
        throw new Error(
          "multiple EC2 Subnets matched; use additional constraints to reduce matches to a single EC2 Subnet",
        );
      return this.describeSubnet(first);
    },
    "aws:route53/getZone:getZone": (args: sdk.route53.GetZoneArgs): Partial<sdk.route53.GetZoneResult> => {
      const name = args.name?.replace(/\.$/, "");
      const zone = this.hostedZones.find((each) => each.name === name || each.zoneId === args.zoneId);
      if (zone === undefined || args.privateZone === true) throw new Error("no matching Route 53 Hosted Zone found");
      return { id: zone.zoneId, ...zone, privateZone: false, nameServers: [], tags: {} };
    },
  };

  signIn({ settings, env }: Credentials): () => void {
    const setting = (name: string, ...variables: string[]) =>
      [settings.get(name), ...variables.map((variable) => env.get(variable))].find((value) => value) ?? "";
    const accessKey = setting("accessKey", "AWS_ACCESS_KEY_ID");
    const secretKey = setting("secretKey", "AWS_SECRET_ACCESS_KEY");
    const region = setting("region", "AWS_REGION", "AWS_DEFAULT_REGION");
    if (accessKey === "" || secretKey === "") {
      throw new Error("Invalid credentials configured.\nNo valid credential sources found.");
    }
    if (!/^[a-z]{2}(-[a-z]+)+-\d$/.test(region)) throw new Error(`invalid AWS Region: ${region}`);
    if (region !== this.region) throw new Error(`of AWS the cloud for tests has the region ${this.region} only`);
    if (accessKey !== this.accessKey || secretKey !== this.secretKey) {
      const refusal = new Refusal("InvalidClientTokenId", "The security token included in the request is invalid.");
      const why = `operation error STS: GetCallerIdentity, ${said(refusal)}`;
      throw new Error(`unable to validate AWS credentials.\nDetails: ${why}`);
    }
    return () => {
      if (this.requestsLeft-- <= 0) throw new Refusal("RequestLimitExceeded", "Request limit exceeded.");
    };
  }

  explain({ verb, token }: Call, refusal: Refusal): string {
    const doing = { create: "creating", read: "reading", update: "updating", delete: "deleting", invoke: "reading" };
    const kind = Object.entries(this.kinds).find(([name]) => name === token)?.[1];
    return `1 error occurred:\n\t* ${doing[verb]} ${kind?.definition.noun ?? token}: ${said(refusal)}\n\n`;
  }

  /** The disk of a volume, by its tag Name. */
  disk(name: string): Disk | undefined {
    const volume = this.volumes.all.find(({ inputs }) => inputs.tags?.["Name"] === name);
    return volume && this.disks.get(volume.id);
  }

  /** What the API calls a zone. */
  zoneIdOf(zone: string): string {
    return this.hostedZones.find(({ name }) => name === zone)?.zoneId ?? "";
  }

  private user(name: string): void {
    if (this.users.get(name) === undefined)
      throw new Refusal("NoSuchEntity", `The user with name ${name} cannot be found.`);
  }

  private machineOf(id: string | undefined): Machine | undefined {
    return this.world.machines.get(id);
  }

  private arn(service: string, path: string): string {
    return `arn:aws:${service}:${this.region}:${accountId}:${path}`;
  }

  private imageOf(name: string): string {
    const publisher = publishers.find(({ prefix }) => name.startsWith(prefix));
    if (publisher === undefined) throw new Refusal("ParameterNotFound", "");
    const hash = createHash("sha256")
      .update(`${name} ${String(this.imageRelease)}`)
      .digest("hex");
    const ami = `ami-${hash.slice(0, 17)}`;
    this.logins.set(ami, publisher.user);
    return ami;
  }

  private subnets(filters: Filters) {
    return this.zonesOfRegion.filter(({ zone }) =>
      (filters ?? []).every(({ name, values }) => {
        const value = { "vpc-id": this.vpcId, "default-for-az": "true", "availability-zone": zone }[name];
        if (value === undefined) throw new Error(`the cloud for tests knows no filter ${name}`);
        return values.includes(value);
      }),
    );
  }

  private describeSubnet({
    zone,
    subnet,
  }: {
    readonly zone: string;
    readonly subnet: string;
  }): Partial<sdk.ec2.GetSubnetResult> {
    return {
      id: subnet,
      availabilityZone: zone,
      vpcId: this.vpcId,
      cidrBlock: this.world.network.subnet,
      ipv6CidrBlock: this.world.network.hasIpv6 ? this.world.network.subnet6 : "",
    };
  }

  private instance(id: string | undefined): Instance {
    const instance = this.instances.get(id);
    if (instance === undefined) {
      throw new Refusal("InvalidInstanceID.NotFound", `The instance ID '${id ?? ""}' does not exist`);
    }
    return instance;
  }

  private checkGroup({ name = "", description = "", vpcId = this.vpcId }: SecurityGroupInputs): void {
    if (vpcId !== this.vpcId) throw new Refusal("InvalidVpcID.NotFound", `The vpc ID '${vpcId}' does not exist`);
    if (name.startsWith("sg-"))
      throw new Refusal("InvalidParameterValue", "Group names may not be in the format sg-*.");
    if (!/^[\w .:/()#,@[\]+=&;{}!$*-]*$/.test(description)) {
      const words = `Value (${description}) for parameter GroupDescription is invalid. Character sets beyond ASCII are not supported.`;
      throw new Refusal("InvalidParameterValue", words);
    }
    const isTaken = this.securityGroups.all.some(({ inputs }) => inputs.name === name);
    if (isTaken) {
      throw new Refusal("InvalidGroup.Duplicate", `The security group '${name}' already exists for VPC '${vpcId}'`);
    }
  }

  /** The filter of an instance, from all its groups: what none of them admits is dropped. */
  private filterOf(
    { vpcSecurityGroupIds = [] }: InstanceInputs,
    groups: readonly { readonly id: string; readonly inputs: SecurityGroupInputs }[],
  ): Filter {
    // Without one it is in the VPC's default group, which admits nothing from outside.
    if (vpcSecurityGroupIds.length === 0)
      return { inbound: [], outbound: [{ protocol: "all", peers: ["0.0.0.0/0", "::/0"] }] };
    const own = vpcSecurityGroupIds.map((id) => {
      const group = groups.find((each) => each.id === id);
      if (group === undefined) throw new Refusal("InvalidGroup.NotFound", `The security group '${id}' does not exist`);
      return group.inputs;
    });
    return {
      inbound: own.flatMap(({ ingress }) => ingress ?? []).map(ruleOf),
      outbound: own.flatMap(({ egress }) => egress ?? []).map(ruleOf),
    };
  }

  private async runInstance(inputs: InstanceInputs) {
    const { userData = "", keyName } = inputs;
    const { zone, subnet } = this.checkInstance(inputs);
    const filter = this.filterOf(inputs, this.securityGroups.all);
    const id = newId("i");
    const machine = await this.world.machines.boot({
      id,
      hostname: `ip-${id}`,
      userData,
      user: this.logins.get(inputs.ami ?? "") ?? "",
      filter,
      keys: keyName === undefined ? [] : [this.publicKey(keyName)],
      hasIpv6: (inputs.ipv6AddressCount ?? 0) > 0,
      metadata: metadataOf(inputs),
    });
    const publicIp = inputs.associatePublicIpAddress === false ? "" : this.world.network.allocate();
    if (publicIp !== "") {
      this.publicIps.set(id, publicIp);
      await machine.addAddress(publicIp);
    }
    const state = {
      arn: this.arn("ec2", `instance/${id}`),
      availabilityZone: zone,
      subnetId: subnet,
      instanceState: "running",
      publicIp,
      privateIp: machine.address,
      ipv6Addresses: ipv6Of(machine),
      associatePublicIpAddress: publicIp !== "",
    };
    return { id, state };
  }

  /** The subnet for the instance; throws if it is refused. */
  private checkInstance({
    ami = "",
    instanceType = "",
    subnetId,
    userData = "",
    ipv6AddressCount = 0,
  }: InstanceInputs) {
    if (!this.logins.has(ami)) throw new Refusal("InvalidAMIID.NotFound", `The image id '[${ami}]' does not exist`);
    if (!instanceTypes.has(instanceType)) {
      throw new Refusal("InvalidParameterValue", `Invalid value '${instanceType}' for InstanceType.`);
    }
    const place = this.zonesOfRegion.find(({ subnet }) => subnet === (subnetId ?? subnet));
    if (place === undefined) {
      throw new Refusal("InvalidSubnetID.NotFound", `The subnet ID '${subnetId ?? ""}' does not exist`);
    }
    if (Buffer.byteLength(userData) > 16384) {
      throw new Refusal("InvalidParameterValue", "User data is limited to 16384 bytes");
    }
    if (ipv6AddressCount > 0 && !this.world.network.hasIpv6) {
      throw new Refusal("InvalidParameterValue", `The subnet '${place.subnet}' has no IPv6 CIDR block`);
    }
    if (this.instances.all.length >= this.limits.instances) {
      const words =
        "You have requested more vCPU capacity than your current vCPU limit allows for the instance bucket that the specified instance type belongs to.";
      throw new Refusal("VcpuLimitExceeded", words);
    }
    return place;
  }

  private publicKey(keyName: string): string {
    const pair = this.keyPairs.get(keyName);
    if (pair === undefined) throw new Refusal("InvalidKeyPair.NotFound", `The key pair '${keyName}' does not exist`);
    return pair.inputs.publicKey;
  }

  /** A new type or new user data need a stop and a start; even so, only the first boot reads user data. */
  private async modifyInstance(instance: Instance, inputs: InstanceInputs): Promise<void> {
    const { id, inputs: olds, state } = instance;
    const machine = this.machineOf(id);
    if (machine === undefined) return;
    await machine.guard(this.filterOf(inputs, this.securityGroups.all));
    await this.world.machines.tell(machine, metadataOf(inputs));
    await machine.setIpv6((inputs.ipv6AddressCount ?? 0) > 0);
    state.ipv6Addresses = ipv6Of(machine);
    if (inputs.instanceType === olds.instanceType && inputs.userData === olds.userData) return;
    await machine.powerOff();
    machine.replaceUserData(inputs.userData ?? "");
    await machine.powerOn();
  }

  /** The existing attachment: the real plugin looks first, and then has nothing to do. */
  private attachmentOf(deviceName: string, instanceId: string, volumeId: string): string | undefined {
    const zone = this.instances.get(instanceId)?.state.availabilityZone;
    if (this.volumes.get(volumeId)?.inputs.availabilityZone !== zone) {
      const words = `The volume '${volumeId}' is not in the same availability zone as instance '${instanceId}'`;
      throw new Refusal("InvalidVolume.ZoneMismatch", words);
    }
    for (const { id, inputs } of this.attachments.all) {
      const isOnInstance = inputs.instanceId === instanceId && inputs.deviceName === deviceName;
      if (isOnInstance && inputs.volumeId === volumeId) return id;
      if (inputs.volumeId === volumeId)
        throw new Refusal("VolumeInUse", `${volumeId} is already attached to an instance`);
      if (isOnInstance) {
        const words = `Invalid value '${deviceName}' for unixDevice. Attachment point ${deviceName} is already in use`;
        throw new Refusal("InvalidParameterValue", words);
      }
    }
    return undefined;
  }

  /** The address replaces the one that the instance got automatically. */
  private async associate(address: Thing<sdk.ec2.EipArgs, sdk.ec2.Eip>, instance: Instance) {
    const { publicIp = "" } = address.state;
    const id = newId("eipassoc");
    const machine = this.machineOf(instance.id);
    await machine?.addAddress(publicIp);
    const before = this.publicIps.get(instance.id);
    if (before !== undefined) await machine?.removeAddress(before);
    this.releasePublicIp(instance.id);
    instance.state.publicIp = publicIp;
    Object.assign(address.state, { associationId: id, instance: instance.id });
    return { id, state: { publicIp, privateIpAddress: machine?.address ?? "" } };
  }

  private releasePublicIp(instanceId: string): void {
    this.world.network.free(this.publicIps.get(instanceId) ?? "");
    this.publicIps.delete(instanceId);
  }

  private recordOf({ zoneId, name, type, ttl = 300, records = [] }: Inputs<sdk.route53.RecordArgs>): DnsRecord {
    const zone = this.hostedZones.find((each) => each.zoneId === zoneId);
    if (zone === undefined) throw new Refusal("NoSuchHostedZone", `No hosted zone found with ID: ${zoneId}`);
    const isWhole = name === zone.name || name.endsWith(`.${zone.name}`);
    return { name: isWhole ? name : `${name}.${zone.name}`.replace(/^\./, ""), type, ttl, values: records };
  }
}

function metadataOf({ userData = "", metadataOptions }: InstanceInputs): Metadata {
  const { httpTokens: tokens = "optional", httpPutResponseHopLimit: hopLimit = 1 } = metadataOptions ?? {};
  return { path: "/latest/user-data", userData, imds: { tokens, hopLimit } };
}

/** A rule of a group; `-1` is every protocol. */
function ruleOf(rule: {
  readonly protocol: string;
  readonly fromPort: number;
  readonly toPort: number;
  readonly cidrBlocks?: readonly string[] | undefined;
  readonly ipv6CidrBlocks?: readonly string[] | undefined;
}): Rule {
  const peers = [...(rule.cidrBlocks ?? []), ...(rule.ipv6CidrBlocks ?? [])];
  switch (rule.protocol) {
    case "tcp":
    case "udp":
      return { protocol: rule.protocol, peers, ports: `${String(rule.fromPort)}-${String(rule.toPort)}` };
    case "icmp":
    case "icmpv6":
      return { protocol: "icmp", peers };
    case "-1":
      return { protocol: "all", peers };
    default:
      throw new Error(`the cloud for tests knows no protocol ${rule.protocol}`);
  }
}

function said({ code, message }: Refusal): string {
  return `https response error StatusCode: 400, RequestID: ${randomUUID()}, api error ${code}: ${message}`;
}

function newId(prefix: string): string {
  return `${prefix}-0${randomBytes(8).toString("hex")}`;
}

function ipv6Of({ ipv6 }: Machine): string[] {
  return ipv6 === undefined ? [] : [ipv6];
}
