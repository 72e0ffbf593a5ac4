import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { parse } from "yaml";

import { roleLabel } from "../../components/labels.ts";
import type { Outputs } from "../../components/outputs.ts";
import { later, makeEarlier } from "../support/earlier.ts";
import { isWhole, itInTestLong } from "../support/matrix.ts";
import { type CloudTarget, RemoteCheckout, stacks, zones } from "../support/remote.ts";
import { Replacements } from "../support/replacements.ts";
import { run, succeed } from "../support/run.ts";
import type { Machine } from "../testCloud/machines.ts";
import { TestCloud } from "../testCloud/testCloud.ts";

for (const target of Object.keys(stacks) as CloudTarget[]) {
  describe(`the stack remote on ${target}`, function () {
    this.timeout(10 * 60_000);

    let cloud: TestCloud;
    let checkout: RemoteCheckout;
    let outputs: Outputs;
    let digest: string;

    before(async () => {
      cloud = await TestCloud.start({ ipv6: true, zones });
      checkout = new RemoteCheckout(cloud);
      await checkout.configure(stacks[target]);
    });

    after(async () => {
      await checkout.dispose();
      await cloud.dispose();
    });

    function machine(): Machine {
      const [only, ...more] = cloud.machines;
      assert.ok(only && more.length === 0, `${String(cloud.machines.length)} machines`);
      return only;
    }

    /** The cloud's resources except machines, by kind. */
    function inventory(): Record<string, number> {
      const { digitalOcean: ocean, aws } = cloud;
      const kinds: Record<string, { readonly all: readonly unknown[] }> =
        target === "digitalocean"
          ? { volumes: ocean.volumes, addresses: ocean.reservedIps, firewalls: ocean.firewalls, keys: ocean.sshKeys }
          : { volumes: aws.volumes, addresses: aws.addresses, firewalls: aws.securityGroups, keys: aws.keyPairs };
      return Object.fromEntries(Object.entries(kinds).map(([kind, { all }]) => [kind, all.length]));
    }

    /** A test that one cloud is enough for. */
    function once(title: string, test: () => Promise<void>): void {
      if (isWhole || target === "digitalocean") it(title, test);
    }

    once("shows its whole tree in a preview before anything is created", async () => {
      const { code, output } = await checkout.make("preview");
      assert.equal(code, 0, output);
      for (const type of ["Machine", "Prepared", "RemoteImage", "Container", "Registry", "ReverseProxy"])
        assert.match(output, new RegExp(`:${type}: \\(create\\)`));
      assert.deepEqual(cloud.machines, []);
    });

    it("comes up from nothing in one run", async () => {
      outputs = await checkout.up();
      assert.equal(outputs.endpoint, `${stacks[target].hostname}:${new URL(outputs.url).port}`);
    });

    it("has its name point to the machine", async () => {
      assert.deepEqual(await cloud.resolve(stacks[target].hostname, "A"), [outputs.address]);
      assert.equal(outputs.records[0], `${stacks[target].hostname} A ${outputs.address}`);
    });

    it("accepts a push and a pull from a client that knows only its name", async () => {
      digest = await checkout.push(outputs, "app", "the first layer");
      await checkout.copies(outputs, "app", digest, "copied");
    });

    // The state that is kept of an earlier version is of this cloud.
    if (target === "digitalocean") {
      it("is taken over from an earlier version with its machine, disk, address, keys and data", async () => {
        const before = machine();
        await makeEarlier(checkout);
        const output = await checkout.makes("up");
        assert.doesNotMatch(output, /✗/);
        const touched = output
          .split("\n")
          .filter((line) => /\b(created|replaced|deleted|updated)\b.*\(\d+ s\)/.test(line));
        assert.ok(
          touched.some((line) => /:Prepared \S+ updated/.test(line)),
          output,
        );
        const kept = touched.filter((line) => /\b(digitalocean|tls|random):|Volume /.test(line) && !later.test(line));
        assert.deepEqual(kept, []);
        assert.equal(machine(), before);
        assert.deepEqual(await checkout.outputs(), outputs);
        assert.equal(await checkout.pulls(outputs, "app", digest), true);
      });
    }

    itInTestLong("has its registry replaced without a failed request, by settings and by hand", async () => {
      const replacements = new Replacements(checkout, outputs, outputs.address);
      try {
        await replacements.prepare();
        for (const [, replace] of replacements.all) await replacements.underLoad(replace);
        await replacements.change({ registryImage: undefined, deletion: undefined, drainTimeout: undefined });
      } finally {
        await replacements.dispose();
      }
    });

    it("has no changes on a second `pulumi up`, nor after a refresh", async () => {
      await checkout.assertUnchanged();
      const refreshed = await checkout.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes");
      assert.equal(refreshed.code, 0, refreshed.output);
    });

    it("has a host key that is in no user data", async () => {
      const shown = await succeed("ssh-keyscan", ["-t", "ed25519", outputs.address]);
      const { hostKey = "" } = outputs.login ?? {};
      assert.equal(shown.trim(), `${outputs.address} ${hostKey}`);
      const userData = parse(await machine().read("/var/lib/cloud/instance/user-data.txt")) as {
        ssh_keys: { ed25519_public: string; ed25519_private: string };
      };
      assert.notEqual(userData.ssh_keys.ed25519_public, hostKey);
      const installed = await machine().read("/etc/ssh/ssh_host_ed25519_key");
      assert.notEqual(installed, userData.ssh_keys.ed25519_private);
    });

    it("lets in only the deploy user, and only by key", async () => {
      const attempt = (user: string) => {
        const options = [
          "-F",
          join(checkout.folder, ".state/ssh", `${checkout.stack}.config`),
          "-o",
          "ConnectTimeout=5",
        ];
        return run("ssh", [...options, `${user}@${outputs.address}`, "id", "-un"]);
      };
      const deploy = await attempt("deploy");
      assert.deepEqual([deploy.code, deploy.stdout.trim()], [0, "deploy"]);
      assert.match((await attempt("root")).output, /Permission denied \(publickey\)/);
    });

    once("gets another host key on request, and nothing else changes", async () => {
      const before = machine();
      const { stdout } = await checkout.pulumi("stack", "export");
      const [urn = ""] = /urn:[^"]*-keys-host-[0-9a-f]{8}/.exec(stdout) ?? [];
      const { code, output } = await checkout.pulumi("up", "--yes", "--skip-preview", "--replace", urn);
      assert.equal(code, 0, output);
      const { hostKey = "" } = outputs.login ?? {};
      outputs = await checkout.outputs();
      assert.notEqual(outputs.login?.hostKey, hostKey);
      const shown = await succeed("ssh-keyscan", ["-t", "ed25519", outputs.address]);
      assert.equal(shown.trim(), `${outputs.address} ${outputs.login?.hostKey ?? ""}`);
      assert.equal(machine(), before);
    });

    once("keeps every private key encrypted in the state, and out of logs", async () => {
      const exported = await checkout.pulumi("stack", "export");
      assert.match(exported.stdout, /publicKeyOpenssh/);
      assert.doesNotMatch(exported.output, /PRIVATE KEY/);
      const shown = await checkout.pulumi("preview", "--diff", "--show-sames");
      assert.equal(shown.code, 0, shown.output);
      assert.doesNotMatch(shown.output, /PRIVATE KEY/);
    });

    it("has user data that cloud-init's own schema accepts", async () => {
      const checked = await machine().run("cloud-init schema --config-file /var/lib/cloud/instance/user-data.txt");
      assert.equal(checked.code, 0, checked.output);
    });

    /** Whether ports of the machine's address answer to its neighbours in the cloud. */
    function reaches(...ports: readonly string[]): Promise<boolean[]> {
      const container = ["run", "--rm", "--network", cloud.name, "--entrypoint", "/bin/busybox", "nginx:1.30.6-alpine"];
      const probe = (port: string) => run("docker", [...container, "nc", "-w", "3", outputs.address, port]);
      return Promise.all(ports.map(async (port) => (await probe(port)).code === 0));
    }

    it("admits nothing but SSH and the registry's port", async () => {
      assert.deepEqual(await reaches("22", new URL(outputs.url).port), [true, true]);
      // Something listens there, so it is the firewall that keeps clients out.
      await machine().succeed("systemd-run --unit probe /usr/bin/python3 -m http.server 2375");
      await machine().succeed("until curl -s -o /dev/null http://127.0.0.1:2375/; do sleep 0.2; done");
      assert.deepEqual(await reaches("2375"), [false]);
    });

    it("keeps containers from the cloud's metadata, which the machine itself reads", async () => {
      const address = "http://169.254.169.254";
      const token = `curl -s -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' ${address}/latest/api/token`;
      const read =
        target === "digitalocean"
          ? `curl -s -m 5 ${address}/metadata/v1/user-data`
          : `curl -s -m 5 -H "X-aws-ec2-metadata-token: $(${token})" ${address}/latest/user-data`;
      assert.match((await machine().run(read)).stdout, /^#cloud-config/);
      const inside = `docker exec private-registry-${checkout.stack}-proxy wget -q -T 5 -O - ${address}/`;
      assert.match((await machine().run(inside)).output, /refused|unreachable|timed out/i);
    });

    /** The machine's settings, with SSH only from this host's own network, as the machine sees it. */
    async function closed(): Promise<object> {
      const [, own = ""] = / src (\S+)/.exec(await succeed("ip", ["-4", "route", "get", outputs.address])) ?? [];
      return { ...stacks[target].host, sshFrom: [own] };
    }

    /** Roles and images of the machine's servers. */
    async function containers(): Promise<string[]> {
      const listed = await machine().succeed(`docker ps --no-trunc --format '{{.Label "${roleLabel}"}} {{.Image}}'`);
      return listed.trim().split("\n").sort();
    }

    // At digitalocean, interruptions.test.ts also replaces a running one.
    if (isWhole || target === "aws") {
      it("is on another machine after a replacement: the same address, images and containers", async () => {
        const before = { machine: machine(), containers: await containers() };
        checkout.set({ host: { ...(await closed()), generation: 2 } });
        const { address } = await checkout.up();
        assert.notEqual(machine(), before.machine);
        assert.equal(address, outputs.address);
        assert.deepEqual(await containers(), before.containers);
        assert.equal(await checkout.pulls(outputs, "app", digest), true);
        await checkout.assertUnchanged();
      });
    }

    once(
      "is replaced although the machine is dead, tells of a full data disk, and lives on with a larger one",
      async () => {
        const before = await containers();
        await machine().fill("/srv/registry");
        await machine().kill();
        const host = await closed();
        checkout.set({ host: { ...host, generation: 3 } });
        assert.match(
          await checkout.upFails(),
          /the data disk is full: \d+ MiB are left\. To grow it, increase host\.dataSize/,
        );
        // On another machine, as the test kernel doesn't grow a mounted file system.
        checkout.set({ host: { ...host, generation: 4, dataSize: 2 } });
        const { address } = await checkout.up();
        assert.equal(address, outputs.address);
        assert.deepEqual(await containers(), before);
        assert.match(await machine().succeed("df --output=size -BM /srv/registry | tail -n 1"), /1[89]\d\dM|20\d\dM/);
        assert.equal(await checkout.pulls(outputs, "app", digest), true);
      },
    );

    it("admits SSH from the chosen networks only, and clients of the registry from everywhere", async () => {
      assert.deepEqual(await reaches("22", new URL(outputs.url).port), [false, true]);
    });

    once("comes up by itself after a power failure", async () => {
      await machine().kill();
      await machine().powerOn();
      for (let tries = 60; tries > 0 && !(await checkout.pulls(outputs, "app", digest).catch(() => false)); tries--)
        await new Promise((resolve) => setTimeout(resolve, 1000));
      assert.equal(await checkout.pulls(outputs, "app", digest), true);
    });

    once("is created again after somebody deleted the machine in the cloud", async () => {
      const before = machine();
      const kind = target === "digitalocean" ? cloud.digitalOcean.droplets : cloud.aws.instances;
      for (const { id } of kind.all) await kind.delete(id);
      assert.equal((await checkout.up()).address, outputs.address);
      assert.notEqual(machine(), before);
      assert.equal(await checkout.pulls(outputs, "app", digest), true);
    });

    it("leaves only the data volume when it is destroyed, and says so", async () => {
      // Also where an earlier version made it.
      if (target === "digitalocean") await makeEarlier(checkout);
      const output = await checkout.makes("destroy");
      assert.match(output, /Kept: volume \S+ with all pushed images, [12] GiB, about \$0\.\d\d a month/);
      assert.deepEqual(cloud.machines, []);
      assert.deepEqual(inventory(), { volumes: 1, addresses: 0, firewalls: 0, keys: 0 });
      assert.deepEqual(await cloud.resolve(stacks[target].hostname, "A"), []);
    });

    once("has all pushed images when it is up again", async () => {
      outputs = await checkout.up();
      assert.equal(await checkout.pulls(outputs, "app", digest), true);
      assert.equal(inventory()["volumes"], 1);
    });

    once(
      "tells that its machine can't be reached, and is destroyed all the same, from a desk without a key file",
      async () => {
        await machine().cutOff(true);
        checkout.set({ deletion: true });
        assert.match(await checkout.upFails(), /The machine does not answer[^]*198\.\S+ is reachable|can't be reached/);
        rmSync(join(checkout.folder, ".state/ssh"), { recursive: true });
        const { code, output } = await checkout.pulumi("destroy", "--yes", "--skip-preview", "--exclude-protected");
        assert.equal(code, 0, output);
        assert.deepEqual(cloud.machines, []);
      },
    );

    /** The data disk that somebody deleted. */
    let lost = "";

    once("reports that the kept data disk is gone, or that the credentials are another account's", async () => {
      const { volumes } = target === "digitalocean" ? cloud.digitalOcean : cloud.aws;
      lost = volumes.all[0]?.id ?? "";
      await volumes.delete(lost);
      for (const make of ["up", "purge"]) {
        const { code, output } = await checkout.make(make, { env: { CONFIRM: checkout.stack } });
        assert.notEqual(code, 0, output);
        assert.match(output, new RegExp(`The data volume ${lost} is not in this account.*FORGET=${lost}`));
      }
    });

    itInTestLong("comes up with an empty disk once the old one is named as lost", async () => {
      outputs = await checkout.up({ env: { FORGET: lost } });
      assert.equal(inventory()["volumes"], 1);
      assert.equal(await checkout.pulls(outputs, "app", digest), false);
    });

    it("leaves nothing when it is purged", async () => {
      await checkout.makes("purge", { env: { FORGET: lost } });
      assert.deepEqual(inventory(), { volumes: 0, addresses: 0, firewalls: 0, keys: 0 });
      assert.doesNotMatch(readFileSync(join(checkout.folder, checkout.stackFile), "utf8"), /PRIVATE KEY/);
    });
  });
}
