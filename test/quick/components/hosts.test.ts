import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";

import { AwsDockerHost, type AwsDockerHostArgs } from "../../../clouds/aws/host.ts";
import { Kept } from "../../../clouds/aws/kept.ts";
import { DigitalOceanDockerHost } from "../../../clouds/digitalOcean/host.ts";
import type { CertificateSource } from "../../../components/certificate/certificate.ts";
import { writeKeyFile } from "../../../components/hosts/sshClient.ts";
import { registryUser } from "../../../components/registry/user.ts";
import { deploy } from "../../../deploy.ts";
import { rules } from "../../../policy/rules.ts";
import type { DnsSettings } from "../../../settings/dns.ts";
import type { HostSettings, Target } from "../../../settings/host.ts";
import type { Settings } from "../../../settings/index.ts";
import { find, providerOf, record, type Recorded } from "../../support/mocks.ts";
import { computed, withoutEdition } from "../../support/providers.ts";
import { hosts, settings } from "../../support/settings.ts";

const name = "private-registry-test";
const host = `${name}-host`;
const hostname = "registry.example.com";
const token = "dnsimple_a_0123456789";

const dns = {
  none: undefined,
  route53: { provider: "route53", zone: "example.com", ttl: 300 },
  digitalocean: { provider: "digitalocean", zone: "example.com", ttl: 300 },
  dnsimple: { provider: "dnsimple", zone: "example.com", ttl: 300, account: 1010, token: pulumi.secret(token) },
} as const satisfies Record<string, DnsSettings | undefined>;

const acme = {
  mode: "acme",
  server: "https://acme.example.com/directory",
  keyType: "ec256",
  names: [],
  challenge: { type: "http-01", port: 80 },
  eab: { kid: "KID", hmac: pulumi.secret("the private private-registry HMAC") },
} as const;

const certificates = {
  acme,
  acmeByRoute53: { ...acme, challenge: { type: "dns-01", provider: "route53", zone: "example.com", resolvers: [] } },
  acmeByDnsimple: {
    ...acme,
    challenge: {
      ...({ type: "dns-01", provider: "dnsimple", zone: "example.com", resolvers: [] } as const),
      token: pulumi.secret(token),
    },
  },
  selfSigned: { mode: "selfSigned" },
  provided: { mode: "provided", bundle: "", key: pulumi.secret("-----BEGIN PRIVATE KEY-----") },
} as const satisfies Record<string, CertificateSource>;

type Types = Readonly<Record<string, readonly string[]>>;

/** The resources, by type, each with the part after the stack's name. */
const made = {
  registry: {
    "privateregistry:index:PrivateRegistry": [""],
    "privateregistry:index:Node": [""],
    "privateregistry:index:Credentials": ["-credentials"],
    "privateregistry:index:Certificate": ["-certificate"],
    "privateregistry:index:Registry": ["-registry"],
    "privateregistry:index:ReverseProxy": ["-proxy"],
    "privateregistry:index:OneShot": ["-registry-setup", "-proxy-config-owner", "-proxy-loader"],
    "random:index/randomPassword:RandomPassword": [
      ...["-credentials-admin-password", "-credentials-admin-salt", "-registry-http-secret"],
    ],
    "docker:index/network:Network": ["-network", "-proxy-network"],
    "docker:index/volume:Volume": ["-registry-config", "-proxy-config", "-proxy-certificate", "-proxy-challenges"],
    "docker:index/remoteImage:RemoteImage": ["-registry-image", "-proxy-image"],
    "docker:index/container:Container": [
      ...["-registry-setup-run", "-registry-container-1", "-registry-container-2"],
      ...["-proxy-config-owner-run", "-proxy-container", "-proxy-loader-run"],
    ],
  },
  selfSigned: {
    "tls:index/privateKey:PrivateKey": ["-certificate-ca-key", "-certificate-key"],
    "tls:index/selfSignedCert:SelfSignedCert": ["-certificate-ca"],
    "tls:index/certRequest:CertRequest": ["-certificate-request"],
    "tls:index/locallySignedCert:LocallySignedCert": ["-certificate-leaf"],
  },
  provided: {},
  acme: {
    "privateregistry:index:Acme": ["-acme"],
    "privateregistry:index:Program": ["-acme"],
    "privateregistry:index:OneShot": ["-acme-owner", "-acme-setup"],
    "privateregistry:index:Job": ["-acme-lego", "-acme-certifier"],
    "tls:index/privateKey:PrivateKey": ["-certificate-placeholder-key"],
    "tls:index/selfSignedCert:SelfSignedCert": ["-certificate-placeholder"],
    "docker:index/network:Network": ["-acme-network"],
    "docker:index/volume:Volume": ["-acme-settings"],
    "docker:index/remoteImage:RemoteImage": ["-acme-lego-image", "-acme-node-image"],
    "docker:index/container:Container": [
      ...["-acme-owner-run", "-acme-setup-run", "-acme-lego-container", "-acme-certifier-container"],
    ],
  },
  acmeByRoute53: {
    "privateregistry:index:Route53Challenges": ["-challenges"],
    "aws:iam/user:User": ["-challenges"],
    "aws:iam/userPolicy:UserPolicy": ["-challenges"],
    "aws:iam/accessKey:AccessKey": ["-challenges"],
  },
  acmeByDnsimple: {},
  local: {
    "privateregistry:index:LocalDockerHost": ["-host"],
    "pulumi:providers:docker": ["-host-docker"],
    "docker:index/volume:Volume": ["-registry-data"],
  },
  ssh: {
    "privateregistry:index:SshDockerHost": ["-host"],
    "pulumi:providers:docker": ["-host-docker"],
    "docker:index/volume:Volume": ["-registry-data"],
  },
  machine: {
    "privateregistry:index:OneShot": ["-registry-data-check"],
    "docker:index/container:Container": ["-registry-data-check-run"],
    "privateregistry:index:MachineKeys": ["-host-keys"],
    "tls:index/privateKey:PrivateKey": ["-host-keys-client", "-host-keys-boot", "-host-keys-host"],
    "privateregistry:index:Machine": ["-host-machine"],
    "pulumi-nodejs:dynamic/privateregistry:HostKey": ["-host-machine-host-key"],
    "pulumi-nodejs:dynamic/privateregistry:Prepared": ["-host-machine-prepared"],
    "pulumi:providers:docker": ["-host-machine-docker"],
  },
  digitalocean: {
    "privateregistry:index:DigitalOceanDockerHost": ["-host"],
    "digitalocean:index/volume:Volume": ["-host-data"],
    "digitalocean:index/sshKey:SshKey": ["-host-ssh-key"],
    "digitalocean:index/droplet:Droplet": ["-host-droplet"],
    "digitalocean:index/reservedIp:ReservedIp": ["-host-ip"],
    "digitalocean:index/reservedIpAssignment:ReservedIpAssignment": ["-host-ip-assignment"],
    "digitalocean:index/volumeAttachment:VolumeAttachment": ["-host-data-attachment"],
    "digitalocean:index/tag:Tag": ["-host-tag"],
    "digitalocean:index/firewall:Firewall": ["-host-firewall"],
  },
  aws: {
    "privateregistry:index:AwsDockerHost": ["-host"],
    "pulumi-nodejs:dynamic/privateregistry:Kept": ["-host-image", "-host-subnet"],
    "aws:ebs/volume:Volume": ["-host-data"],
    "aws:ec2/keyPair:KeyPair": ["-host-key-pair"],
    "aws:ec2/securityGroup:SecurityGroup": ["-host-firewall"],
    "aws:ec2/instance:Instance": ["-host-instance"],
    "aws:ec2/eip:Eip": ["-host-ip"],
    "aws:ec2/eipAssociation:EipAssociation": ["-host-ip-association"],
    "aws:ec2/volumeAttachment:VolumeAttachment": ["-host-data-attachment"],
  },
} as const satisfies Record<string, Types>;

const records = {
  none: () => ({}),
  route53: (of) => ({ "privateregistry:index:Route53DnsRecord": ["-dns"], "aws:route53/record:Record": of }),
  digitalocean: (of) => ({
    "privateregistry:index:DigitalOceanDnsRecord": ["-dns"],
    "digitalocean:index/dnsRecord:DnsRecord": of,
  }),
  dnsimple: (of) => ({
    "privateregistry:index:DnsimpleDnsRecord": ["-dns"],
    "pulumi-nodejs:dynamic/privateregistry:DnsimpleRecord": of,
  }),
} as const satisfies Record<string, (names: readonly string[]) => Types>;

function stack(target: Target, changed: Partial<Settings> = {}) {
  return record(() => deploy({ ...settings, hostname, host: hosts[target], ...changed }), computed);
}

/** The same with other settings of the host. */
function stackWith<T extends Target>(target: T, more: Partial<Extract<HostSettings, { target: T }>>) {
  return stack(target, { host: { ...hosts[target], ...more } as HostSettings });
}

/** Whether this is the logical name of one of the registry's containers. */
function isRegistry(logicalName: string): boolean {
  return /-registry-container-\d$/.test(logicalName);
}

function input(resources: Recorded[], type: string, of: string): Readonly<Record<string, unknown>> {
  return find(resources, type, `${name}${of}`).inputs;
}

const targets = ["local", "ssh", "digitalocean", "aws"] as const satisfies Target[];
const clouds = {
  digitalocean: { machine: "digitalocean:index/droplet:Droplet", of: "-host-droplet", id: "4711" },
  aws: { machine: "aws:ec2/instance:Instance", of: "-host-instance", id: "i-1" },
} as const;
const cloudNames = ["digitalocean", "aws"] as const;

for (const target of targets) {
  describe(`a stack with the target ${target}`, () => {
    const isCloud = target === "digitalocean" || target === "aws";

    for (const provider of ["none", "route53", "digitalocean", "dnsimple"] as const) {
      for (const mode of Object.keys(certificates) as (keyof typeof certificates)[]) {
        it(`with ${provider} for its name and a certificate that is ${mode} has exactly these resources`, async () => {
          const { resources } = await stack(target, { dns: dns[provider], certificate: certificates[mode] });
          // A Droplet has an IPv6 address; an instance only with its setting.
          const of = target === "digitalocean" ? ["-dns-a", "-dns-aaaa"] : ["-dns-a"];
          // On a machine in a cloud it is on the data disk.
          const isAcme = certificates[mode].mode === "acme";
          const state = { "docker:index/volume:Volume": isAcme && !isCloud ? ["-acme-state"] : [] };
          const renewed = isAcme && mode !== "acme" ? [made.acme, state] : [state];
          const parts: Types[] = [made.registry, made[mode], made[target], records[provider](of), ...renewed];
          const expected = [...parts, ...(isCloud ? [made.machine] : [])].flatMap((types) =>
            Object.entries(types).flatMap(([type, names]) => names.map((each) => `${type} ${name}${each}`)),
          );
          assert.deepEqual(
            resources.map((each) => `${each.type} ${withoutEdition(each.name)}`).sort(),
            expected.sort(),
          );

          // No key and no token is readable anywhere.
          for (const { name: logicalName, inputs, secrets } of resources) {
            const plain = Object.entries(inputs).filter(([key]) => !secrets.includes(key));
            assert.doesNotMatch(JSON.stringify(plain), /PRIVATE KEY|private private-registry|dnsimple_a_/, logicalName);
          }
        });
      }
    }

    it("keeps the secret of a user of AWS, whose rights are for the names of the certificate", async () => {
      const { resources } = await stack(target, { certificate: certificates.acmeByRoute53 });
      const key = find(resources, "aws:iam/accessKey:AccessKey", `${name}-challenges`);
      assert.ok(key.options.secretOutputs.includes("secret"));
      const { policy } = input(resources, "aws:iam/userPolicy:UserPolicy", "-challenges");
      assert.ok(String(policy).includes(`"_acme-challenge.${hostname}"`), String(policy));
    });

    it("with care has a keeper, its program and its image as well", async () => {
      const care = { collect: "03:30", grace: 24, undo: 24, warning: 80, stop: 90 };
      const { resources: without } = await stack(target);
      const { resources } = await stack(target, { care });
      const known = new Set(without.map((each) => withoutEdition(each.name)));
      assert.deepEqual(
        resources
          .filter((each) => !known.has(withoutEdition(each.name)))
          .map((each) => each.name)
          .sort(),
        [
          ...["-care", "-care", "-care-image", "-care-keeper", "-care-keeper-container", "-care-owner"],
          ...["-care-owner-run", "-care-settings", "-care-setup", "-care-setup-run"],
        ].map((each) => name + each),
      );
      const { user, networkMode, volumes } = input(
        resources,
        "docker:index/container:Container",
        "-care-keeper-container",
      ) as {
        user: string;
        networkMode: string;
        volumes: { containerPath: string; readOnly: boolean }[];
      };
      assert.deepEqual([user, networkMode], [registryUser, name]);
      assert.deepEqual(
        volumes.map(({ containerPath, readOnly }) => [containerPath, readOnly]),
        [
          ["/etc/keeper", true],
          ["/data", false],
        ],
      );
      for (const { type, inputs, name: logicalName } of resources)
        for (const { types, problem } of rules)
          if (types.includes(type)) assert.equal(problem(inputs), undefined, logicalName);
    });

    it("has every container, network, volume and image on its own engine, and satisfies the policy", async () => {
      const { resources } = await stack(target, { dns: dns.dnsimple, certificate: certificates.acme });
      const ours = resources.filter(({ type }) => type.startsWith("docker:"));
      assert.equal(ours.length, isCloud ? 23 : 24);
      for (const { name: logicalName, options } of ours)
        assert.equal(options.provider, isCloud ? `${host}-machine-docker` : `${host}-docker`, logicalName);
      for (const { type, inputs, name: logicalName } of resources)
        for (const { types, problem } of rules)
          if (types.includes(type)) assert.equal(problem(inputs), undefined, logicalName);
    });
  });
}

for (const target of cloudNames) {
  describe(`a machine at ${target}`, () => {
    const { machine, of, id } = clouds[target];
    let resources: Recorded[];
    before(async () => ({ resources } = await stack(target)));

    it("gets secret user data, with the keys made before it and the device of its data disk", () => {
      const { inputs, secrets, options } = find(resources, machine, `${name}${of}`);
      assert.deepEqual([secrets, options.secretOutputs], [["userData"], ["userData"]]);
      const { users, ssh_keys, write_files } = parse(String(inputs["userData"])) as {
        users: { name: string; ssh_authorized_keys: string[] }[];
        ssh_keys: object;
        write_files: { path: string; content: string }[];
      };
      assert.deepEqual(
        users.map(({ name: user, ssh_authorized_keys }) => [user, ssh_authorized_keys]),
        [["deploy", [`restrict,pty ssh-ed25519 ${host}-keys-client`]]],
      );
      assert.deepEqual(ssh_keys, {
        ed25519_private: `private ${host}-keys-boot`,
        ed25519_public: `ssh-ed25519 ${host}-keys-boot`,
      });
      const disk = {
        digitalocean: "/dev/disk/by-id/scsi-0DO_Volume_registry-data",
        aws: "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol1",
      }[target];
      assert.equal(
        write_files.find(({ path }) => path === "/etc/registry-data")?.content,
        `DISK=${disk}\nFOLDER=/srv/registry\nGENERATION=1\n`,
      );
    });

    it("is replaced for another generation, and is deleted before the next one takes its disk and address", async () => {
      const { resources: next } = await stackWith(target, { generation: 2 });
      assert.notEqual(input(next, machine, of)["userData"], input(resources, machine, of)["userData"]);
      const keysOf = (all: Recorded[]) =>
        all.filter((each) => each.name.startsWith(`${host}-keys-`)).map((each) => each.name);
      const shared = keysOf(next).filter((key) => keysOf(resources).includes(key));
      assert.deepEqual(shared, [`${host}-keys-client`]);
      const moved = {
        digitalocean: ["-host-droplet", "-host-ip-assignment", "-host-data-attachment"],
        aws: ["-host-instance", "-host-ip-association", "-host-data-attachment"],
      }[target];
      const deletedFirst = resources.filter(
        ({ type, options }) => options.deleteBeforeReplace && !type.startsWith("docker:"),
      );
      assert.deepEqual(deletedFirst.map((each) => each.name).sort(), moved.map((each) => name + each).sort());
    });

    it("has only its data volume protected", () => {
      assert.deepEqual(
        resources.filter(({ options }) => options.protect).map((each) => each.name),
        [`${host}-data`],
      );
    });

    it("first replaces its boot key by its own, and then is prepared, once disk and address are attached", () => {
      const joined = {
        digitalocean: [`${host}-data-attachment`, `${host}-ip-assignment`],
        aws: [`${host}-data-attachment`, `${host}-ip-association`],
      }[target];
      const component = find(resources, "privateregistry:index:Machine", `${host}-machine`);
      assert.deepEqual(component.options.dependsOn, joined);
      const login = {
        address: "192.0.2.1",
        user: "deploy",
        machineId: id,
        hostKey: `ssh-ed25519 ${host}-keys-host`,
        privateKey: `private ${host}-keys-client`,
        __provider: undefined,
      };
      const step = (type: string, logicalName: string) => {
        const recorded = find(resources, `pulumi-nodejs:dynamic/privateregistry:${type}`, logicalName);
        assert.equal(recorded.options.parent, `${host}-machine`);
        assert.deepEqual(recorded.options.secretOutputs, ["privateKey", "privateHostKey"]);
        return { ...recorded, inputs: { ...recorded.inputs, __provider: undefined } };
      };
      const replaced = step("HostKey", `${host}-machine-host-key`);
      assert.deepEqual(replaced.inputs, {
        ...login,
        step: "HostKey",
        bootKey: `ssh-ed25519 ${host}-keys-boot`,
        privateHostKey: `private ${host}-keys-host`,
      });
      assert.deepEqual([...replaced.secrets].sort(), ["privateHostKey", "privateKey"]);
      const prepared = step("Prepared", `${host}-machine-prepared`);
      assert.deepEqual(prepared.inputs, { ...login, step: "Prepared", dataSize: 50, size: hosts[target].size });
      assert.deepEqual(prepared.secrets, ["privateKey"]);
      assert.ok(prepared.options.dependsOn.includes(`${host}-machine-host-key`));
    });

    it("has its engine reached over SSH once it is prepared, with its own host key only and a key from a file", () => {
      const { inputs, options } = find(resources, "pulumi:providers:docker", `${host}-machine-docker`);
      assert.equal(inputs["host"], "ssh://deploy@192.0.2.1");
      assert.ok(options.dependsOn.includes(`${host}-machine-prepared`));
      const words = JSON.parse(String(inputs["sshOpts"])) as string[];
      assert.deepEqual(
        words.filter((word) => word !== "-o"),
        [
          "BatchMode=yes",
          "ConnectTimeout=15",
          "StrictHostKeyChecking=yes",
          "UserKnownHostsFile=/dev/null",
          "GlobalKnownHostsFile=/dev/null",
          "VerifyHostKeyDNS=no",
          "NoHostAuthenticationForLocalhost=no",
          "ControlPath=none",
          "HostKeyAlgorithms=ssh-ed25519",
          `KnownHostsCommand=/bin/echo %H ssh-ed25519 ${host}-keys-host`,
          "IdentitiesOnly=yes",
          'IdentityFile=".state/ssh/test"',
        ],
      );
    });

    it("labels all its Docker resources with its id, and drops them with it without contacting it", () => {
      for (const { type, name: logicalName, inputs, options } of resources) {
        if (!type.startsWith("docker:")) continue;
        assert.equal(options.deletedWith, `${host}-machine-prepared`);
        const isNamed = type !== "docker:index/remoteImage:RemoteImage" && !isRegistry(logicalName);
        assert.equal(options.deleteBeforeReplace, isNamed, logicalName);
        if (type === "docker:index/remoteImage:RemoteImage") assert.deepEqual(inputs["triggers"], { machine: id });
        else
          assert.deepEqual(
            (inputs["labels"] as object[]).at(-1),
            { label: "private-registry.machine", value: id },
            logicalName,
          );
      }
    });

    it("has the data in a folder of its disk, not in a Docker volume", () => {
      const mounted = resources.flatMap(({ inputs }) =>
        ((inputs["volumes"] ?? []) as { containerPath: string; hostPath?: string }[])
          .filter(({ containerPath }) => containerPath === "/data")
          .map(({ hostPath }) => hostPath),
      );
      assert.deepEqual(mounted, Array(5).fill("/srv/registry/data"));
    });

    it("stays when its size, networks or port change, or its disk grows", async () => {
      const { resources: changed } = await stack(target, {
        host: { ...hosts[target], dataSize: 100, sshFrom: ["10.0.0.0/8"], registryFrom: ["10.0.0.0/8"] },
        port: 443,
      });
      assert.equal(input(changed, machine, of)["userData"], input(resources, machine, of)["userData"]);
      assert.equal(
        input(changed, "pulumi-nodejs:dynamic/privateregistry:Prepared", "-host-machine-prepared")["dataSize"],
        100,
      );
    });
  });
}

describe("a machine at DigitalOcean", () => {
  it("is a Droplet with IPv6 and a key, and has volume and address in the same region", async () => {
    const { resources } = await stack("digitalocean");
    const { userData, ...droplet } = input(resources, "digitalocean:index/droplet:Droplet", "-host-droplet");
    assert.ok(userData);
    assert.deepEqual(droplet, {
      name: host,
      region: "fra1",
      size: "s-1vcpu-2gb",
      resizeDisk: false,
      image: "ubuntu-24-04-x64",
      ipv6: true,
      sshKeys: ["fingerprint"],
      tags: [`${host}-tag`],
    });
    assert.deepEqual(input(resources, "digitalocean:index/volume:Volume", "-host-data"), {
      region: "fra1",
      size: 50,
    });
    assert.deepEqual(input(resources, "digitalocean:index/reservedIp:ReservedIp", "-host-ip"), { region: "fra1" });
    assert.deepEqual(
      input(resources, "digitalocean:index/reservedIpAssignment:ReservedIpAssignment", "-host-ip-assignment"),
      { ipAddress: "192.0.2.1", dropletId: 4711 },
    );
    assert.deepEqual(
      input(resources, "digitalocean:index/volumeAttachment:VolumeAttachment", "-host-data-attachment"),
      { volumeId: "volume-1", dropletId: 4711 },
    );
  });

  it("admits SSH from sshFrom, the endpoints from registryFrom, and nothing else", async () => {
    const { resources } = await stack("digitalocean", {
      host: { ...hosts.digitalocean, registryFrom: ["198.51.100.0/24", "2001:db8::/32"] },
      anonymous: { port: 5044, prefixes: ["public"] },
    });
    const { tags, inboundRules, outboundRules } = input(
      resources,
      "digitalocean:index/firewall:Firewall",
      "-host-firewall",
    );
    assert.deepEqual(tags, [`${host}-tag`]);
    const registryFrom = { protocol: "tcp", sourceAddresses: ["198.51.100.0/24", "2001:db8::/32"] };
    assert.deepEqual(inboundRules, [
      { protocol: "tcp", portRange: "22", sourceAddresses: ["203.0.113.7/32"] },
      { ...registryFrom, portRange: "5043" },
      { ...registryFrom, portRange: "5044" },
    ]);
    const anywhere = { destinationAddresses: ["0.0.0.0/0", "::/0"] };
    assert.deepEqual(outboundRules, [
      { protocol: "tcp", portRange: "1-65535", ...anywhere },
      { protocol: "udp", portRange: "1-65535", ...anywhere },
      { protocol: "icmp", ...anywhere },
    ]);
  });

  it("has more time to be deleted than the usual minute", async () => {
    const { resources } = await stack("digitalocean");
    assert.equal(find(resources, "digitalocean:index/droplet:Droplet", `${host}-droplet`).options.deleteTimeout, "10m");
  });

  it("has its firewall before it exists, so that it is never open", async () => {
    const { resources } = await stack("digitalocean");
    const { options } = find(resources, "digitalocean:index/droplet:Droplet", `${host}-droplet`);
    assert.ok(options.dependsOn.includes(`${host}-firewall`));
  });

  it("has a name that DigitalOcean accepts, whatever the stack is called", async () => {
    const args = { ...hosts.digitalocean, ports: [443], publicPorts: [] };
    const { resources } = await record(() => new DigitalOceanDockerHost("My_Stack.1-host", args), computed);
    const named = resources.filter(({ type }) => /^digitalocean:.*:(Droplet|Volume|SshKey|Firewall|Tag)$/.test(type));
    assert.deepEqual(named.map((each) => each.name).sort(), [
      "my-stack-1-host-data",
      "my-stack-1-host-droplet",
      "my-stack-1-host-firewall",
      "my-stack-1-host-ssh-key",
      "my-stack-1-host-tag",
    ]);
    assert.equal(
      find(resources, "digitalocean:index/droplet:Droplet", "my-stack-1-host-droplet").inputs["name"],
      "my-stack-1-host",
    );
  });
});

describe("a machine at AWS", () => {
  it("is an instance on encrypted disks, with metadata for itself only", async () => {
    const { resources } = await stack("aws");
    const { inputs, options } = find(resources, "aws:ec2/instance:Instance", `${host}-instance`);
    const { userData, ...instance } = inputs;
    assert.ok(userData);
    const tags = { Name: host };
    assert.deepEqual(instance, {
      ami: "ami-1",
      instanceType: "t3.small",
      subnetId: "subnet-1",
      vpcSecurityGroupIds: [`${host}-firewall-id`],
      keyName: "key-1",
      associatePublicIpAddress: true,
      ipv6AddressCount: 0,
      userDataReplaceOnChange: true,
      metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
      rootBlockDevice: { volumeType: "gp3", volumeSize: 16, encrypted: true },
      tags,
    });
    assert.deepEqual(options.ignoreChanges, ["associatePublicIpAddress"]);
    assert.deepEqual(input(resources, "aws:ebs/volume:Volume", "-host-data"), {
      availabilityZone: "eu-central-1a",
      size: 50,
      type: "gp3",
      encrypted: true,
      tags: { Name: `${host}-data` },
    });
    assert.deepEqual(input(resources, "aws:ec2/eip:Eip", "-host-ip"), { domain: "vpc", tags });
    assert.deepEqual(input(resources, "aws:ec2/eipAssociation:EipAssociation", "-host-ip-association"), {
      allocationId: "eipalloc-1",
      instanceId: "i-1",
      allowReassociation: true,
    });
    assert.deepEqual(input(resources, "aws:ec2/volumeAttachment:VolumeAttachment", "-host-data-attachment"), {
      volumeId: "vol-1",
      instanceId: "i-1",
      deviceName: "/dev/sdf",
      stopInstanceBeforeDetaching: true,
    });
  });

  it("admits SSH from sshFrom, the endpoints from registryFrom, and nothing else", async () => {
    const { resources } = await stack("aws", {
      host: { ...hosts.aws, sshFrom: ["203.0.113.7/32", "2001:db8::1/128"], registryFrom: ["2001:db8::/32"] },
      anonymous: { port: 5044, prefixes: ["public"] },
    });
    const { vpcId, ingress, egress } = input(resources, "aws:ec2/securityGroup:SecurityGroup", "-host-firewall");
    assert.equal(vpcId, "vpc-1");
    const registryFrom = { protocol: "tcp", cidrBlocks: [], ipv6CidrBlocks: ["2001:db8::/32"] };
    assert.deepEqual(ingress, [
      {
        protocol: "tcp",
        fromPort: 22,
        toPort: 22,
        cidrBlocks: ["203.0.113.7/32"],
        ipv6CidrBlocks: ["2001:db8::1/128"],
      },
      { ...registryFrom, fromPort: 5043, toPort: 5043 },
      { ...registryFrom, fromPort: 5044, toPort: 5044 },
    ]);
    assert.deepEqual(egress, [
      { protocol: "-1", fromPort: 0, toPort: 0, cidrBlocks: ["0.0.0.0/0"], ipv6CidrBlocks: ["::/0"] },
    ]);
  });

  /** What was looked up, and what is kept. */
  async function lookedUp(more: Partial<AwsDockerHostArgs>) {
    const asked: string[] = [];
    const answers = Object.entries(computed).map(([token, outputs]) => [
      token,
      (...given: Parameters<typeof outputs>) => {
        if (token.includes("/get")) asked.push(`${token.split(":").at(-1) ?? ""} ${JSON.stringify(given[0])}`);
        return outputs(...given);
      },
    ]);
    const args = { ...hosts.aws, ports: [443], publicPorts: [], ...more };
    const { resources } = await record(
      () => new AwsDockerHost("h", args),
      Object.fromEntries(answers) as typeof computed,
    );
    const kept = (of: string) => {
      const { value, until } = find(resources, "pulumi-nodejs:dynamic/privateregistry:Kept", of).inputs;
      return [value, until];
    };
    return { asked: asked.sort(), image: kept("h-image"), subnet: kept("h-subnet") };
  }

  it("looks up image and subnet, and keeps the result until the settings ask for another", async () => {
    const subnets = [
      { name: "vpc-id", values: ["vpc-1"] },
      { name: "default-for-az", values: ["true"] },
      { name: "availability-zone", values: ["eu-central-1b"] },
    ];
    assert.deepEqual(await lookedUp({}), {
      asked: [
        'getInstanceTypeOfferings {"filters":[{"name":"instance-type","values":["t3.small"]}],"locationType":"availability-zone"}',
        'getParameter {"name":"/ubuntu/ami-id"}',
        'getSubnet {"id":"subnet-1"}',
        `getSubnets ${JSON.stringify({ filters: subnets })}`,
        'getVpc {"default":true}',
      ],
      image: ["ami-1", "/ubuntu/ami-id 1"],
      subnet: ["subnet-1", ""],
    });
    assert.deepEqual((await lookedUp({ generation: 2 })).image, ["ami-1", "/ubuntu/ami-id 2"]);
  });

  it("takes image and subnet from the settings without a look-up", async () => {
    assert.deepEqual(await lookedUp({ image: "ami-0a1b", subnet: "subnet-0a1b" }), {
      asked: ['getSubnet {"id":"subnet-0a1b"}'],
      image: ["ami-0a1b", "ami-0a1b 1"],
      subnet: ["subnet-0a1b", "subnet-0a1b"],
    });
  });
});

describe("the result of a look-up", () => {
  it("stays in the state, whatever later look-ups find, until another is asked for", async () => {
    const { resources } = await record(() => new Kept("k", { found: { value: "ami-1" }, until: "ubuntu 1" }), computed);
    const recorded = find(resources, "pulumi-nodejs:dynamic/privateregistry:Kept", "k");
    const { create, diff, update } = providerOf<{ value: string; until: string; reason?: string }>(recorded);
    const first = { value: "ami-1", until: "ubuntu 1" };
    assert.deepEqual((await create(first)).outs, first);
    assert.deepEqual(await diff("kept", first, { value: "ami-2", until: "ubuntu 1" }), { changes: false });
    const next = { value: "ami-2", until: "ubuntu 2" };
    assert.deepEqual(await diff("kept", first, next), { changes: true });
    assert.deepEqual(await update("kept", first, next), { outs: next });
    const nothing = { value: "", reason: "no matching EC2 VPC found", until: "ubuntu 3" };
    assert.deepEqual(await diff("kept", first, { ...nothing, until: "ubuntu 1" }), { changes: false });
    await assert.rejects(create(nothing), { message: nothing.reason });
    await assert.rejects(update("kept", next, nothing), { message: nothing.reason });
  });
});

describe("a machine with an IPv6 address", () => {
  const proxyPorts = (resources: Recorded[]) =>
    input(resources, "docker:index/container:Container", "-proxy-container")["ports"];
  const ipv4 = [{ internal: 8443, external: 5043, ip: "0.0.0.0" }];
  const both = [...ipv4, { internal: 8445, external: 5043, ip: "::" }];

  it("has the endpoints published there, too, and a record for it; others have neither", async () => {
    for (const [host, ports] of [
      [hosts.local, ipv4],
      [hosts.ssh, ipv4],
      [hosts.aws, ipv4],
      [{ ...hosts.aws, ipv6: true }, both],
      [hosts.digitalocean, both],
    ] as const) {
      const { resources } = await stack(host.target, { host, dns: dns.digitalocean });
      assert.deepEqual(proxyPorts(resources), ports, host.target);
      const values = resources.filter(({ type }) => type === "digitalocean:index/dnsRecord:DnsRecord");
      assert.equal(values.length, ports.length, host.target);
    }
  });

  it("has the anonymous endpoint published there, too", async () => {
    const { resources } = await stack("digitalocean", { anonymous: { port: 5044, prefixes: ["public"] } });
    assert.deepEqual(proxyPorts(resources), [
      { internal: 8443, external: 5043, ip: "0.0.0.0" },
      { internal: 8444, external: 5044, ip: "0.0.0.0" },
      { internal: 8445, external: 5043, ip: "::" },
      { internal: 8446, external: 5044, ip: "::" },
    ]);
  });

  it("is requested from AWS if the settings say so", async () => {
    const { resources } = await stackWith("aws", { ipv6: true });
    assert.equal(input(resources, "aws:ec2/instance:Instance", "-host-instance")["ipv6AddressCount"], 1);
  });
});

describe("a machine of the user's own", () => {
  it("is reached over SSH with the options from its settings", async () => {
    const { resources } = await stack("ssh");
    assert.deepEqual(input(resources, "pulumi:providers:docker", "-host-docker"), {
      host: "ssh://deploy@203.0.113.10",
      sshOpts: JSON.stringify(hosts.ssh.engine.sshOptions),
    });
  });

  it("has the data in the folder that the settings name", async () => {
    const { resources } = await stackWith("ssh", { dataPath: "/srv/images" });
    const { volumes } = input(resources, "docker:index/container:Container", "-registry-container-1");
    assert.deepEqual((volumes as object[])[1], { hostPath: "/srv/images", containerPath: "/data", readOnly: false });
    assert.ok(!resources.some((each) => each.name === `${name}-registry-data`));
  });

  for (const target of ["local", "ssh"] as const) {
    it(`with the target ${target} has no resource bound to a machine's id, and has each deleted there`, async () => {
      const { resources } = await stack(target);
      for (const { type, inputs, options, name: logicalName } of resources) {
        if (!type.startsWith("docker:")) continue;
        assert.doesNotMatch(JSON.stringify(inputs), /private-registry\.machine/, logicalName);
        assert.deepEqual([inputs["triggers"], options.deletedWith], [undefined, ""]);
        // A container is deleted before the next one gets its name, on every host. Those of the registry have none.
        const hasName = type === "docker:index/container:Container" && !isRegistry(logicalName);
        assert.equal(options.deleteBeforeReplace, hasName, logicalName);
      }
    });
  }
});

describe("the client's private key for a machine", () => {
  let project: string;
  before(() => {
    project = process.cwd();
    process.chdir(mkdtempSync(join(tmpdir(), "project-")));
  });
  after(() => {
    const folder = process.cwd();
    process.chdir(project);
    rmSync(folder, { recursive: true });
  });

  it("is in a file that only its user can read, and stays so", () => {
    const modeOf = (path: string) => statSync(path).mode & 0o777;
    const file = writeKeyFile("dev1", "first");
    assert.equal(file, ".state/ssh/dev1");
    assert.deepEqual([modeOf(file), modeOf(".state/ssh"), modeOf(".state")], [0o600, 0o700, 0o700]);
    chmodSync(file, 0o644);
    writeKeyFile("dev1", "first");
    assert.equal(modeOf(file), 0o600);
    chmodSync(file, 0o644);
    writeKeyFile("dev1", "second");
    assert.deepEqual([readFileSync(file, "utf8"), modeOf(file)], ["second", 0o600]);
    assert.deepEqual(readdirSync(".state/ssh"), ["dev1"]);
  });
});
