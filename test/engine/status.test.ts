import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createServer } from "node:tls";

import type { Outputs } from "../../components/outputs.ts";
import { issue } from "../support/certificates.ts";
import { Checkout } from "../support/checkout.ts";
import { docker, stop, succeed } from "../support/run.ts";
import { assertNames, type Status, statusOf } from "../support/status.ts";

/** A live stack, with its data on a small disk in memory, which is broken in one way after the other. Needs root. */
describe("make status", function () {
  this.timeout(5 * 60_000);

  const data = mkdtempSync(join(tmpdir(), "status-data-"));
  const files = mkdtempSync(join(tmpdir(), "status-"));
  let checkout: Checkout;
  let outputs: Outputs;

  before(async () => {
    await succeed("mount", ["-t", "tmpfs", "-o", "size=200m", "tmpfs", data]);
    checkout = new Checkout();
    await checkout.configure({
      dataPath: data,
      users: [
        { name: "ci", role: "writer" },
        { name: "boss", role: "admin" },
      ],
    });
  });
  after(async () => {
    await checkout.dispose();
    await succeed("umount", [data]);
    for (const folder of [data, files]) rmSync(folder, { recursive: true });
  });

  const quick = () => statusOf(checkout, "--quick");
  const registries = () => checkout.containers("registry");
  const waitFor = async (expected: string, ...ids: readonly string[]) => {
    for (let tries = 0; tries < 120; tries++) {
      const health = await docker("inspect", "--format", "{{.State.Health.Status}}", ...ids);
      if (
        health
          .trim()
          .split("\n")
          .every((each) => each === expected)
      )
        return;
      await sleep(500);
    }
    assert.fail(`not ${expected}`);
  };

  it("can't tell anything about a stack that doesn't exist", async () => {
    const { code, stdout } = await checkout.run("node", ["cli/main.ts", "status", "nosuchstack"]);
    assert.equal(code, 2);
    assert.match(stdout, /\? stack {2}There is no stack nosuchstack\. To create it: make up STACK=nosuchstack/);
  });

  it("names a stack that is not up", async () => {
    assertNames(await quick(), 1, ["stack", /is not up\. To bring it up: make up STACK=/]);
  });

  describe("of a stack that is up", () => {
    before(async () => {
      outputs = await checkout.bringUp();
    });

    it("shows that all is well, and changes nothing", async () => {
      const state = () => checkout.read(`.state/.pulumi/stacks/private-registry/${checkout.stack}.json`);
      const containers = () =>
        docker("ps", "--all", "--no-trunc", "--filter", `name=${checkout.name}`, "--format", "{{.ID}} {{.State}}");
      const before = [state(), await containers()];
      const { code, stdout, output } = await checkout.make("status");
      assert.equal(code, 0, output);
      assert.equal(normalized(stdout), readFileSync("test/engine/status.golden.txt", "utf8"));
      assert.deepEqual([state(), await containers()], before);
    });

    /** Without what differs from run to run. */
    function normalized(printed: string): string {
      return printed
        .replaceAll(new RegExp(checkout.stack, "g"), "STACK")
        .replaceAll(/:\d{4,5}\b/g, ":PORT")
        .replaceAll(/\d{4}-\d\d-\d\d/g, "DATE")
        .replaceAll(/\d+ days/g, "N days")
        .replaceAll(/[\d.]+ [MG]B/g, "SIZE");
    }

    it("prints the same for scripts, without a secret", async () => {
      const { code, result, findings } = await statusOf(checkout);
      assert.deepEqual({ code, result }, { code: 0, result: "well" });
      const facts = (about: string) => findings.find((finding) => finding.about === about)?.facts;
      assert.equal(facts("endpoint")?.["url"], outputs.url);
      assert.deepEqual(facts("certificate")?.["names"], ["localhost", "127.0.0.1", "::1"]);
      assert.equal(facts("certificate")?.["daysLeft"], 89);
      assert.deepEqual(facts("users"), {
        users: [
          { name: "ci", role: "writer" },
          { name: "boss", role: "admin" },
        ],
      });
      assert.equal(facts("storage")?.["size"], 200 * 2 ** 20);
      for (const password of Object.values(outputs.passwords)) assert.ok(!JSON.stringify(findings).includes(password));
    });

    it("says in a line what `make up` would change, which is no fault", async () => {
      checkout.set({ guessesPerMinute: 7 });
      const { code, findings } = await statusOf(checkout);
      const changes = findings.find(({ about }) => about === "changes");
      assert.equal(code, 0);
      assert.match(changes?.what ?? "", /\d to replace.*To see them: make preview STACK=/);
      checkout.set({ guessesPerMinute: undefined });
    });

    it("says if another image runs than the settings want", async () => {
      checkout.set({ registryImage: "registry:3.1.1" });
      const { code, findings } = await quick();
      assert.equal(code, 0);
      const registry = findings.find(({ about }) => about === "registry 1");
      assert.equal(registry?.what, "healthy, registry:3.1.2; the settings want registry:3.1.1");
      checkout.set({ registryImage: undefined });
    });

    it("knows an image by what it is, not by its name", async () => {
      const alias = `${checkout.name}-alias:1`;
      const registry = async () => (await quick()).findings.find(({ about }) => about === "registry 1")?.what;
      checkout.set({ registryImage: alias });
      try {
        await docker("tag", "registry:3.1.2", alias);
        assert.equal(await registry(), `healthy, ${alias}`);
        // As if it were pulled again, and were another one now.
        await docker("tag", "nginx:1.30.6-alpine", alias);
        assert.equal(await registry(), `healthy, registry:3.1.2; the settings want ${alias}`);
      } finally {
        await docker("rmi", alias);
        checkout.set({ registryImage: undefined });
      }
    });

    it("names a mistake in the settings", async () => {
      checkout.set({ guessesPerMinute: 0 });
      assertNames(await statusOf(checkout), 1, ["settings", /^guessesPerMinute: .*pulumi config set/]);
      checkout.set({ guessesPerMinute: undefined });
    });

    it("names a registry that is stopped", async () => {
      const [id = ""] = await registries();
      await docker("stop", "--time", "1", id);
      const named = await quick();
      const [bad = ""] = named.findings.filter(({ is }) => is === "wrong").map(({ about }) => about);
      assert.match(bad, /^registry [12]$/);
      assertNames(named, 1, [bad, /^exited, registry:3\.1\.2\. To see why: make logs .* To repair it: make up/]);
      await docker("start", id);
      await waitFor("healthy", id);
    });

    it("names a registry that is paused, and one that is unhealthy", async () => {
      const [paused = "", other = ""] = await registries();
      await docker("pause", paused);
      assert.ok((await quick()).findings.some(({ is, what }) => is === "wrong" && what.startsWith("paused, ")));
      await docker("unpause", paused);
      const pid = Number(await docker("inspect", "--format", "{{.State.Pid}}", other));
      process.kill(pid, "SIGSTOP");
      try {
        await waitFor("unhealthy", other);
        const { code, findings } = await quick();
        assert.ok(findings.some(({ is, what }) => is === "wrong" && what.startsWith("unhealthy, registry:3.1.2")));
        assert.equal(code, 1);
      } finally {
        process.kill(pid, "SIGCONT");
      }
      await waitFor("healthy", paused, other);
    });

    it("names a registry that is missing", async () => {
      const [id = ""] = await registries();
      await docker("rm", "--force", "--volumes", id);
      assertNames(await quick(), 1, ["registry", /^1 of 2 containers is missing\. To create it: make up STACK=/]);
      await checkout.makes("up");
    });

    it("names a proxy that is stopped, so that the endpoint does not answer", async () => {
      const [id = ""] = await checkout.containers("proxy");
      await docker("stop", id);
      assertNames(await quick(), 1, ["endpoint", /does not answer: .*ECONNREFUSED/], ["proxy", /^exited, nginx:/]);
      await docker("start", id);
      await waitFor("healthy", id);
    });

    it("names a disk that is nearly full", async () => {
      const { bavail, bsize } = statfsSync(data);
      const filler = join(data, "docker", "filler");
      writeFileSync(filler, Buffer.alloc(bavail * bsize - 15 * 2 ** 20));
      assertNames(await quick(), 1, ["storage", /^15 MB|16 MB of 210 MB free: under a tenth\. See docs\/runbook\.md/]);
      rmSync(filler);
    });

    it("names an engine that is away; the endpoint that still answers is well", async () => {
      checkout.set({ dockerHost: "tcp://127.0.0.1:1" });
      assertNames(await quick(), 2, ["engine", /does not answer: .*(refused|connect)/i]);
      checkout.set({ dockerHost: undefined });
    });

    it("can't tell what is well if neither engine nor endpoint answers", async () => {
      const [id = ""] = await checkout.containers("proxy");
      await docker("stop", id);
      checkout.set({ dockerHost: "tcp://127.0.0.1:1" });
      assertNames(await quick(), 2, ["endpoint", /does not answer/], ["engine", /does not answer/]);
      checkout.set({ dockerHost: undefined });
      await docker("start", id);
      await waitFor("healthy", id);
    });

    it("can't tell anything without the state's passphrase", async () => {
      const file = join(checkout.folder, ".state/passphrase");
      const passphrase = readFileSync(file);
      writeFileSync(file, "another");
      assertNames(await quick(), 2, ["stack", /passphrase/]);
      writeFileSync(file, passphrase);
    });

    it("says that a run is under way, and names one that was killed", async () => {
      checkout.set({ guessesPerMinute: 8 });
      let during: Promise<Status> | undefined;
      const killed = await checkout.makeUntil("up", /-proxy-loader-run creating/, (group) => {
        during = quick().finally(() => stop(group, "SIGKILL"));
        stop(group, "SIGSTOP");
      });
      assert.equal(killed.code, null, killed.output);
      assert.ok((await during)?.findings.some(({ about, is }) => about === "last run" && is === "note"));
      assert.ok(existsSync(join(checkout.folder, `.state/${checkout.stack}.unfinished`)));
      // A killed process stays listed until its parent has noticed.
      let after = await quick();
      for (let tries = 0; tries < 20 && after.code !== 1; tries++, await sleep(500)) after = await quick();
      assert.equal(after.code, 1);
      assert.ok(after.findings.some(({ about, what }) => about === "last run" && what.includes("did not finish")));
      await checkout.makes("up");
      assertNames(await quick(), 0);
    });

    describe("with a certificate that was provided", () => {
      const authority = issue({ commonName: "Status authority", days: 3000 });
      const bundle = join(files, "bundle.pem");
      const key = join(files, "key.pem");
      const provide = async (days: number) => {
        const leaf = issue({ commonName: "localhost", names: "DNS:localhost,IP:127.0.0.1", issuer: authority, days });
        writeFileSync(bundle, leaf.certificate + authority.certificate);
        writeFileSync(key, leaf.key, { mode: 0o600 });
        await checkout.bringUp();
      };

      before(() => {
        checkout.set({ certificate: { mode: "provided", bundleFile: bundle, keyFile: key } });
      });

      it("says who renews it", async () => {
        await provide(200);
        const { code, findings } = await quick();
        assert.equal(code, 0);
        const certificate = findings.find(({ about }) => about === "certificate");
        assert.match(
          certificate?.what ?? "",
          /^localhost, 127\.0\.0\.1; by Status authority; 199 days left, until .*; renewed by whoever issued it$/,
        );
      });

      it("names one with less than a quarter of its life left", async () => {
        await provide(100);
        assertNames(await quick(), 1, ["certificate", /99 days left, until .*Get a new one, put it where/]);
      });

      it("names one that ran out", async () => {
        await provide(10 / 86_400);
        await sleep(11_000);
        assertNames(
          await quick(),
          1,
          ["settings", /^certificate\.bundleFile: .*expired/],
          ["certificate", /^ran out on .*Get a new one/],
        );
      });

      it("names another server at the endpoint, which clients don't trust", async () => {
        await provide(200);
        const [id = ""] = await checkout.containers("proxy");
        await docker("stop", id);
        const other = issue({ commonName: "localhost", names: "DNS:localhost", days: 200 });
        const server = createServer({ cert: other.certificate, key: other.key }).listen(
          Number(new URL(outputs.url).port),
        );
        try {
          const { code, findings } = await quick();
          assert.equal(code, 1);
          const certificate = findings.find(({ about }) => about === "certificate");
          assert.match(certificate?.what ?? "", /^clients don't trust what the proxy shows: /);
        } finally {
          server.close();
          await docker("start", id);
        }
      });
    });
  });
});
