import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

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

/** What may be there twice afterwards: what joins two things, and a record of Route 53, can't be. */
const single = /Assignment|Attachment|Association|^route53/;

describe("`make up` of the stack remote, killed", function () {
  this.timeout(10 * 60_000);

  for (const target of ["digitalocean", "aws"] as const) {
    it(`at each call to ${target}, goes on when it is run again, and tells what may be there twice`, async () => {
      const cloud = await TestCloud.start({ ipv6: true, zones });
      const checkout = new RemoteCheckout(cloud);
      try {
        await checkout.configure(stacks[target]);
        let lost: readonly string[] = [];
        for (const calls of stages[target]) {
          const module = target === "digitalocean" ? "digitalocean:index/" : "aws:";
          // The cloud does what it was asked for all the same, when nobody waits any more.
          const hanging = calls.map((call) => cloud.faults.hang(`create ${module}${call}`));
          const { output } = await checkout.upKilled(() => Promise.all(hanging.map(({ asked }) => asked)));
          for (const { release } of hanging) release();
          assertTold(output, lost);
          lost = calls;
        }
        const { code, output } = await checkout.make("up");
        assert.equal(code, 0, output);
        assertTold(output, lost);
        assert.doesNotMatch(output, /✗/);
        await checkout.assertUnchanged();
      } finally {
        await checkout.dispose();
        await cloud.dispose();
      }
    });
  }

  function assertTold(output: string, lost: readonly string[]): void {
    for (const call of lost) {
      const told = `A run ended while \\w+ was making ${call.replace(/.*:/, "")} private-registry-`;
      assert.equal(new RegExp(told).test(output), !single.test(call), `${call}\n${output}`);
    }
  }

  describe("while its machine is made", () => {
    let cloud: TestCloud;
    let checkout: RemoteCheckout;
    let generation = 1;

    before(async () => {
      cloud = await TestCloud.start({ ipv6: true, zones });
      checkout = new RemoteCheckout(cloud);
      await checkout.configure(stacks.digitalocean);
      await checkout.up();
    });

    after(async () => {
      await checkout.dispose();
      await cloud.dispose();
    });

    /** Begins a replacement of the machine and kills it at a moment of the new one's life. */
    async function killedAt(moment: (machine: Machine) => Promise<unknown>): Promise<void> {
      checkout.set({ host: { ...stacks.digitalocean.host, generation: ++generation } });
      const known = new Set(cloud.machines);
      await checkout.upKilled(async () => {
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

    it("is followed by one that succeeds, with the same data, whenever that was", async () => {
      const outputs = await checkout.outputs();
      const digest = await checkout.push(outputs, "app", "layer");
      for (const condition of [
        "ss -ltn | grep -q :22",
        "journalctl -u ssh | grep -q 'Accepted publickey'",
        "mountpoint -q /srv/registry",
        "docker ps | grep -q registry",
      ]) {
        await killedAt((machine) => until(machine, condition));
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
});
