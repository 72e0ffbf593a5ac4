import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import type { Outputs } from "../../components/outputs";
import type { AnyKind } from "../cloud/kinds";
import type { Machine } from "../cloud/machines";
import { TestCloud } from "../cloud/testCloud";
import { RemoteCheckout, stacks, zones } from "../support/remote";

/** What a first `up` asks of a cloud, in the stages in which it can be asked at the same time. */
const stages = {
  digitalocean: [
    ["volume:Volume", "sshKey:SshKey", "tag:Tag"],
    ["firewall:Firewall", "reservedIp:ReservedIp"],
    ["droplet:Droplet", "dnsRecord:DnsRecord"],
    ["volumeAttachment:VolumeAttachment"],
    ["reservedIpAssignment:ReservedIpAssignment"],
  ],
  aws: [
    ["ec2/keyPair:KeyPair", "ec2/securityGroup:SecurityGroup", "ebs/volume:Volume"],
    ["ec2/instance:Instance", "ec2/eip:Eip"],
    ["ec2/eipAssociation:EipAssociation", "ec2/volumeAttachment:VolumeAttachment", "route53/record:Record"],
  ],
} as const;

/** What is asked of it later: by a change of what is set, by another machine with a larger disk, by the end of it all. */
const later = {
  digitalocean: {
    changed: ["update digitalocean:index/firewall:Firewall", "update digitalocean:index/droplet:Droplet"],
    record: "digitalocean:index/dnsRecord:DnsRecord",
    replaced: [
      "update digitalocean:index/volume:Volume",
      ...["reservedIpAssignment:ReservedIpAssignment", "volumeAttachment:VolumeAttachment", "droplet:Droplet"].map(
        (kind) => `delete digitalocean:index/${kind}`,
      ),
    ],
    rest: ["reservedIp:ReservedIp", "firewall:Firewall", "tag:Tag", "sshKey:SshKey"].map(
      (kind) => `delete digitalocean:index/${kind}`,
    ),
    volume: "delete digitalocean:index/volume:Volume",
  },
  aws: {
    changed: ["update aws:ec2/securityGroup:SecurityGroup", "update aws:ec2/instance:Instance"],
    record: "aws:route53/record:Record",
    replaced: [
      "update aws:ebs/volume:Volume",
      ...["eipAssociation:EipAssociation", "volumeAttachment:VolumeAttachment", "instance:Instance"].map(
        (kind) => `delete aws:ec2/${kind}`,
      ),
    ],
    rest: ["eip:Eip", "securityGroup:SecurityGroup", "keyPair:KeyPair"].map((kind) => `delete aws:ec2/${kind}`),
    volume: "delete aws:ebs/volume:Volume",
  },
} as const;

/** Credentials that both clouds refuse. */
const refused = { DIGITALOCEAN_TOKEN: "wrong", AWS_SECRET_ACCESS_KEY: "wrong" };

/** A size that is not the default one. */
const sizes = { digitalocean: "s-2vcpu-4gb", aws: "t3.medium" } as const;

/** What may be there twice afterwards: what joins two things, and a record of Route 53, can't be. */
const single = /Assignment|Attachment|Association|^route53/;

for (const target of ["digitalocean", "aws"] as const) {
  describe(`\`make\` of the stack remote on ${target}, killed`, function () {
    this.timeout(10 * 60_000);

    let cloud: TestCloud;
    let checkout: RemoteCheckout;
    let outputs: Outputs;
    let digest: string;
    const { host, dns } = stacks[target];
    const { changed, record, replaced, rest, volume } = later[target];

    before(async () => {
      cloud = await TestCloud.start({ ipv6: true, zones });
      checkout = new RemoteCheckout(cloud);
      await checkout.configure(stacks[target]);
    });

    after(async () => {
      await checkout.dispose();
      await cloud.dispose();
    });

    it("while anything is made, goes on when it is run again, and tells what may be there twice", async () => {
      let lost: readonly string[] = [];
      for (const calls of stages[target]) {
        const module = target === "digitalocean" ? "digitalocean:index/" : "aws:";
        // The cloud does what it was asked for all the same, when nobody waits any more.
        const hanging = calls.map((call) => cloud.faults.hang(`create ${module}${call}`));
        const { output } = await checkout.killed("up", () => Promise.all(hanging.map(({ asked }) => asked)));
        for (const { release } of hanging) release();
        assertTold(output, lost);
        lost = calls;
        if (calls !== stages[target][0]) continue;
        // What is told once is told for good, and what follows from it is done all the same.
        assertTold(await checkout.upFails({ env: refused }), lost);
        lost = [];
      }
      const output = await checkout.makes("up");
      assertTold(output, lost);
      assert.doesNotMatch(output, /✗/);
      await checkout.assertUnchanged();
      outputs = await checkout.outputs();
      digest = await checkout.push(outputs, "app", "layer");
      await deleteLost();
    });

    /** Deletes what the state doesn't know, as people are told to do. */
    async function deleteLost(): Promise<void> {
      const { stdout: state } = await checkout.pulumi("stack", "export");
      const { kinds } = target === "digitalocean" ? cloud.digitalOcean : cloud.aws;
      for (const kind of Object.values<AnyKind>(kinds))
        for (const { id } of kind.all) if (!state.includes(`"${id}"`)) await kind.delete(id);
    }

    it("while anything is changed, has it changed when it is run again", async () => {
      checkout.set({ host: { ...host, registryFrom: ["0.0.0.0/0"], size: sizes[target] }, dns: { ...dns, ttl: 60 } });
      await checkout.killedAtEach("up", [...changed, `update ${record}`]);
      await checkout.up();
      await checkout.assertUnchanged();
    });

    it("while the machine is replaced, has another one with the same data when it is run again", async () => {
      checkout.set({ host: { ...host, generation: 2, dataSize: 2 } });
      await checkout.killedAtEach("up", replaced);
      assert.equal((await checkout.up()).address, outputs.address);
      assert.equal(await checkout.pulls(outputs, "app", digest), true);
      await checkout.assertUnchanged();
    });

    it("while anything is taken down, has it gone when it is run again, and the data kept", async () => {
      await checkout.killedAtEach("destroy", [`delete ${record}`, ...replaced.slice(1), ...rest]);
      const output = await checkout.makes("destroy");
      assert.match(output, /Kept: volume/);
      assert.deepEqual(cloud.machines, []);
      outputs = await checkout.up();
      assert.equal(await checkout.pulls(outputs, "app", digest), true);
    });

    it("while the data is deleted, has it gone when it is run again", async () => {
      await checkout.killedAtEach("purge", [volume]);
      await checkout.makes("purge");
    });
  });
}

function assertTold(output: string, lost: readonly string[]): void {
  for (const call of lost) {
    const told = `A run ended while \\w+ was making ${call.replace(/.*:/, "")} private-registry-`;
    assert.equal(new RegExp(told).test(output), !single.test(call), `${call}\n${output}`);
  }
}

for (const target of ["digitalocean", "aws"] as const) {
  describe(`\`make up\` of the stack remote on ${target}, killed while its machine is made`, function () {
    this.timeout(10 * 60_000);

    let cloud: TestCloud;
    let checkout: RemoteCheckout;
    let generation = 1;

    before(async () => {
      cloud = await TestCloud.start({ ipv6: true, zones });
      checkout = new RemoteCheckout(cloud);
      await checkout.configure(stacks[target]);
      await checkout.up();
    });

    after(async () => {
      await checkout.dispose();
      await cloud.dispose();
    });

    /** Begins a replacement of the machine and kills it at a moment of the new one's life. */
    async function killedAt(moment: (machine: Machine) => Promise<unknown>): Promise<void> {
      checkout.set({ host: { ...stacks[target].host, generation: ++generation } });
      const known = new Set(cloud.machines);
      await checkout.killed("up", async () => {
        for (;;) {
          const machine = cloud.machines.find((each) => !known.has(each));
          if (machine !== undefined) return moment(machine);
          await sleep(50);
        }
      });
    }

    /** Waits for a condition on a machine that is booting. */
    async function until(machine: Machine, condition: string): Promise<void> {
      while ((await machine.run(condition)).code !== 0) await sleep(50);
    }

    // The moments are those of a machine anywhere, so that each cloud may have its own half of them.
    const together = target === "aws" ? ", with the machine itself," : "";

    it(`at any moment of its first boot${together} is followed by one that succeeds, with the same data`, async () => {
      const outputs = await checkout.outputs();
      const digest = await checkout.push(outputs, "app", "layer");
      for (const condition of [
        "ss -ltn | grep -q :22",
        "journalctl -u ssh | grep -q 'Accepted publickey'",
        "mountpoint -q /srv/registry",
        "docker ps | grep -q registry",
      ]) {
        await killedAt(async (machine) => {
          await until(machine, condition);
          if (together !== "") await machine.kill();
        });
        if (together !== "") await cloud.machines.at(-1)?.powerOn();
        assert.deepEqual((await checkout.up()).address, outputs.address, condition);
        assert.equal(await checkout.pulls(outputs, "app", digest), true, condition);
      }
    });

    it("in the middle of a container's start, with the machine itself, leaves no port taken", async () => {
      await killedAt(async (machine) => {
        await until(machine, "docker ps --all | grep -q -- -proxy$");
        await machine.kill();
      });
      await cloud.machines.at(-1)?.powerOn();
      await checkout.up();
    });

    /** Makes the replacement of the host key stop in its middle. */
    async function stuckInReplacement(machine: Machine): Promise<void> {
      const slow = '#!/bin/sh\\nsleep 20\\nexec /usr/bin/ssh-keygen "$@"\\n';
      const program = "/usr/local/bin/ssh-keygen";
      // As soon as the machine is there.
      await until(machine, `printf '${slow}' >${program} && chmod +x ${program}`);
      await until(machine, "test -s /etc/ssh/ssh_host_ed25519_key.new");
      await machine.succeed(`rm ${program}`);
    }

    it("in the middle of the replacement of the host key, locks nobody out", async () => {
      await killedAt(stuckInReplacement);
      await checkout.up();
    });

    it("in the middle of that, with the machine itself, locks nobody out", async () => {
      await killedAt(async (machine) => {
        await stuckInReplacement(machine);
        await machine.kill();
      });
      await cloud.machines.at(-1)?.powerOn();
      const { login } = await checkout.up();
      const key = await cloud.machines.at(-1)?.read("/etc/ssh/ssh_host_ed25519_key.pub");
      assert.equal(key?.trim().split(" ").slice(0, 2).join(" "), login?.hostKey);
    });
  });
}
