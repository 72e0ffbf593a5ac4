import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import type { Outputs } from "../../components/outputs.ts";
import { isWhole, oneOf } from "../support/matrix.ts";
import { RemoteCheckout, stacks, zones } from "../support/remote.ts";
import type { AnyKind } from "../testCloud/kinds.ts";
import type { Machine } from "../testCloud/machines.ts";
import { TestCloud } from "../testCloud/testCloud.ts";

const ocean = (verb: string, ...types: readonly string[]) =>
  types.map((type) => `${verb} digitalocean:index/${type.charAt(0).toLowerCase()}${type.slice(1)}:${type}`);
const amazon = (verb: string, ...types: readonly string[]) =>
  types.map(
    (type) => `${verb} aws:${type.replace(/(?<=\/)./, (first) => first.toLowerCase())}:${type.replace(/.*\//, "")}`,
  );

/** The calls to a cloud, in stages of calls that run at the same time. */
const stages = {
  digitalocean: {
    made: [
      ocean("create", "Volume", "SshKey", "Tag"),
      ocean("create", "Firewall", "ReservedIp"),
      ocean("create", "Droplet", "DnsRecord"),
      ocean("create", "VolumeAttachment"),
      ocean("create", "ReservedIpAssignment"),
    ],
    changed: [ocean("update", "Firewall", "DnsRecord"), ocean("update", "Droplet")],
    replaced: [
      ocean("update", "Volume"),
      ocean("delete", "ReservedIpAssignment"),
      ocean("delete", "VolumeAttachment"),
      ocean("delete", "Droplet"),
    ],
    takenDown: [
      ocean("delete", "ReservedIpAssignment"),
      ocean("delete", "DnsRecord", "VolumeAttachment"),
      ocean("delete", "Droplet"),
      ocean("delete", "SshKey"),
      ocean("delete", "Firewall"),
      ocean("delete", "ReservedIp", "Tag"),
    ],
    purged: ocean("delete", "Volume"),
  },
  aws: {
    made: [
      amazon("create", "ec2/KeyPair", "ec2/SecurityGroup", "ebs/Volume"),
      amazon("create", "ec2/Instance", "ec2/Eip"),
      amazon("create", "ec2/EipAssociation", "ec2/VolumeAttachment", "route53/Record"),
    ],
    changed: [amazon("update", "ec2/SecurityGroup", "route53/Record"), amazon("update", "ec2/Instance")],
    replaced: [
      amazon("update", "ebs/Volume"),
      amazon("delete", "ec2/EipAssociation"),
      amazon("delete", "ec2/VolumeAttachment"),
      amazon("delete", "ec2/Instance"),
    ],
    takenDown: [
      amazon("delete", "ec2/EipAssociation", "ec2/VolumeAttachment"),
      amazon("delete", "ec2/Instance"),
      amazon("delete", "ec2/KeyPair"),
      amazon("delete", "route53/Record"),
      amazon("delete", "ec2/SecurityGroup", "ec2/Eip"),
    ],
    purged: amazon("delete", "ebs/Volume"),
  },
} as const;

/** Credentials that both clouds refuse. */
const refused = { DIGITALOCEAN_TOKEN: "dop_v1_wrong", AWS_SECRET_ACCESS_KEY: "wrong" };

/** The errors about them. */
const refusals = {
  digitalocean: /digitalocean:token: is not accepted\./,
  aws: /aws: the credentials are not accepted/,
} as const;

/** A size that is not the default one. */
const sizes = { digitalocean: "s-2vcpu-4gb", aws: "t3.medium" } as const;

/** Calls that leave no duplicate: those that join two resources, and a record of Route 53. */
const single = /Assignment|Attachment|Association|route53/;

/** A kill of a run that replaces the machine. */
interface Kill {
  readonly at: string;
  readonly kill: () => Promise<unknown>;
}

for (const target of oneOf(["digitalocean", "aws"] as const)) {
  describe(`\`make\` of the stack remote on ${target}, killed`, function () {
    this.timeout(15 * 60_000);

    let cloud: TestCloud;
    let checkout: RemoteCheckout;
    let outputs: Outputs;
    let digest: string;
    let generation = 1;
    const { host, dns } = stacks[target];
    const { made, changed, replaced, takenDown, purged } = stages[target];

    before(async () => {
      cloud = await TestCloud.start({ ipv6: true, zones });
      checkout = new RemoteCheckout(cloud);
      await checkout.configure(stacks[target]);
    });

    after(async () => {
      await checkout.dispose();
      await cloud.dispose();
    });

    it("while anything is created, continues when it is run again, and names possible duplicates", async () => {
      let lost: readonly string[] = [];
      for (const calls of made) {
        assertTold(await checkout.killedDuring("up", calls), lost);
        lost = calls;
        if (calls !== made[0]) continue;
        // Each lost call is reported once, and its consequences are still handled.
        const output = await checkout.upFails({ env: refused });
        assertTold(output, lost);
        assert.match(output, refusals[target]);
        assert.doesNotMatch(output, /dop_v1_wrong/);
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

    /** Deletes what the state doesn't know, as the message says. */
    async function deleteLost(): Promise<void> {
      const { stdout: state } = await checkout.pulumi("stack", "export");
      const { kinds } = target === "digitalocean" ? cloud.digitalOcean : cloud.aws;
      for (const kind of Object.values<AnyKind>(kinds))
        for (const { id } of kind.all) if (!state.includes(`"${id}"`)) await kind.delete(id);
    }

    it("while anything is changed, completes the change when it is run again", async () => {
      checkout.set({ host: { ...host, registryFrom: ["0.0.0.0/0"], size: sizes[target] }, dns: { ...dns, ttl: 60 } });
      for (const calls of changed) await checkout.killedDuring("up", calls);
      await checkout.up();
      await checkout.assertUnchanged();
    });

    /** The machine that replaces another one. */
    let old: Machine | undefined;
    const next = () => cloud.machines.find((each) => each !== old);

    /** A kill at a moment of the next machine's life; together with the machine if its power fails. */
    function killAt(
      at: string,
      moment: (machine: Machine, signal: AbortSignal) => Promise<void>,
      powerGoes: boolean,
    ): Kill {
      const kill = async () => {
        await checkout.killed("up", async (signal) => {
          while (next() === undefined) await sleep(50, undefined, { signal });
          const machine = next();
          assert.ok(machine);
          await moment(machine, signal);
        });
        if (!powerGoes) return;
        // Right after the run, which would end by itself.
        await next()?.kill();
        await next()?.powerOn();
      };
      return { at: powerGoes ? `${at}, with the machine` : at, kill };
    }

    /** `make up` of a stack whose machine is off at first, and boots during the run. */
    async function upWhilePowerComesBack(): Promise<Outputs> {
      const machine = next();
      assert.ok(machine);
      await machine.kill();
      let booting: Promise<void> | undefined;
      const onOutput = (output: string) => {
        if (output.includes("The machine does not answer")) booting ??= machine.powerOn();
      };
      const outputs = await checkout.up({ onOutput });
      assert.ok(booting, "the machine was never missed");
      await booting;
      return outputs;
    }

    const atCalls = replaced.map((calls) => {
      return { at: calls.join(" and "), kill: () => checkout.killedDuring("up", calls) };
    });
    const until = (at: string, condition: string) => (powerGoes: boolean) =>
      killAt(at, (machine, signal) => machine.until(condition, signal), powerGoes);
    const boot = {
      ssh: until("an open port of SSH", "ss -ltn | grep -q :22"),
      signIn: until("the first sign-in", "journalctl -u ssh | grep -q 'Accepted publickey'"),
      disk: until("the mount of the data disk", "mountpoint -q /srv/registry"),
      registry: until("the registry's start", "docker ps | grep -q registry"),
      proxy: until("the proxy's start", "docker ps --all | grep -q -- -proxy$"),
      hostKey: (powerGoes: boolean) => killAt("the replacement of the host key", stuckInReplacement, powerGoes),
    };

    /** Stops the replacement of the host key half-way. */
    async function stuckInReplacement(machine: Machine, signal: AbortSignal): Promise<void> {
      const slow = '#!/bin/sh\\nsleep 20\\nexec /usr/bin/ssh-keygen "$@"\\n';
      const program = "/usr/local/bin/ssh-keygen";
      // As soon as the machine exists.
      await machine.until(`printf '${slow}' >${program} && chmod +x ${program}`, signal);
      await machine.until("test -s /etc/ssh/ssh_host_ed25519_key.new", signal);
      await machine.succeed(`rm ${program}`);
    }

    // A boot is the same in every cloud, so each cloud tests half of its moments.
    const powerGoes = target === "aws";
    const { ssh, signIn, disk, registry, proxy, hostKey } = boot;
    const alone = [
      ...atCalls,
      ...[ssh, signIn, disk, registry].map((moment) => moment(powerGoes)),
      ...[proxy(true), hostKey(false), hostKey(true)],
    ];
    // Only moments that the machine still reaches after the one before. The second call is left out: so what it deletes
    // is recorded as deleted when the third one stops the run.
    const together = [...atCalls.filter((_, index) => index !== 1), hostKey(true), registry(false), proxy(true)];

    for (const kills of isWhole ? alone.map((kill) => [kill]) : [together]) {
      const where = kills.map(({ at }) => at).join("; ");
      it(`while the machine is replaced (${where}), completes that with the same data when it is run again`, async () => {
        [old] = cloud.machines;
        generation++;
        checkout.set({ host: { ...host, generation, dataSize: generation } });
        for (const { kill } of kills) await kill();
        const { address, login } = await (isWhole ? checkout.up() : upWhilePowerComesBack());
        assert.equal(address, outputs.address);
        assert.equal(await checkout.pulls(outputs, "app", digest), true);
        const key = await next()?.read("/etc/ssh/ssh_host_ed25519_key.pub");
        assert.equal(key?.trim().split(" ").slice(0, 2).join(" "), login?.hostKey);
        await checkout.assertUnchanged();
      });
    }

    it("while anything is deleted, completes that when it is run again, and keeps the data", async () => {
      for (const calls of takenDown) await checkout.killedDuring("destroy", calls);
      assert.match(await checkout.makes("destroy"), /Kept: volume/);
      assert.deepEqual(cloud.machines, []);
      if (!isWhole) return;
      outputs = await checkout.up();
      assert.equal(await checkout.pulls(outputs, "app", digest), true);
    });

    it("while the data is deleted, completes that when it is run again", async () => {
      const { volumes } = target === "digitalocean" ? cloud.digitalOcean : cloud.aws;
      assert.equal(volumes.all.length, 1);
      await checkout.killedDuring("purge", purged);
      await checkout.makes("purge");
      assert.equal(volumes.all.length, 0);
    });
  });
}

function assertTold(output: string, lost: readonly string[]): void {
  for (const call of lost) {
    const told = `A run ended while \\w+ was creating ${call.replace(/.*:/, "")} private-registry-`;
    assert.equal(new RegExp(told).test(output), !single.test(call), `${call}\n${output}`);
  }
}
