import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { basicAuthorization, digestOf, RegistryClient } from "../../cli/client.ts";
import type { Outputs } from "../../components/outputs.ts";
import { Checkout, freePort } from "../support/checkout.ts";
import { Load } from "../support/load.ts";
import { isWhole, itInTestLong } from "../support/matrix.ts";
import { Poll } from "../support/poll.ts";
import { Replacements } from "../support/replacements.ts";
import { docker, stop } from "../support/run.ts";
import type { Transfers } from "../support/transfers.ts";

describe("the registry's containers", function () {
  this.timeout(10 * 60_000);

  let checkout: Checkout;
  let outputs: Outputs;
  let replacements: Replacements;
  let transfers: Transfers;

  before(async () => {
    checkout = new Checkout();
    await checkout.configure();
    outputs = await checkout.bringUp();
    replacements = new Replacements(checkout, outputs);
    ({ transfers } = replacements);
    await replacements.prepare();
  });

  after(async () => {
    // Its image is in use until then.
    await checkout.dispose();
    await replacements.dispose();
  });

  it("are replaced without a failed request: the image, deletion and another setting at once", () =>
    replacements.underLoad(() =>
      replacements.change({ registryImage: replacements.otherImage, deletion: true, drainTimeout: 100 }),
    ));

  itInTestLong("are replaced without a failed request by each of these alone, and by hand", async () => {
    await replacements.change({ registryImage: undefined, deletion: false, drainTimeout: 900 });
    for (const [, replace] of replacements.all) await replacements.underLoad(replace);
  });

  it("are replaced without a word about the proxy in the preview, which says when that one is", async () => {
    const preview = async (to: Record<string, unknown>) => {
      checkout.set(to);
      return checkout.makes("preview");
    };
    const { port } = new URL(outputs.url);
    assert.match(await preview({ port: await freePort() }), /▸ The proxy container will be replaced, because/);
    assert.doesNotMatch(
      await preview({ port: Number(port), drainTimeout: 101 }),
      /The proxy container will be replaced/,
    );
  });

  it("can be killed one at a time: hardly a request fails, and nothing acknowledged is lost", async function () {
    if (process.getuid?.() !== 0) return this.skip(); // Docker would not restart what it was asked to kill.
    const load = new Load(outputs, { pullers: 20, pushers: 10 });
    const client = new RegistryClient(outputs.url, outputs.caCertificate, outputs.passwords);
    const ids = await checkout.containers("registry");
    const half = randomBytes(1_000_000);
    const headers = { "Content-Type": "application/octet-stream" };
    let uploads = 0;
    try {
      for (let time = 0; time < 5; time++) {
        const begun = await client.ask("POST", "/v2/resumed/blobs/uploads/", { as: "admin" });
        const continued = { as: "admin", headers, body: half };
        const first = await client.ask("PATCH", client.uploadTarget(begun), continued);
        assert.equal(first.status, 202);
        const slow = transfers.push("killed", "50M").then(() => "ended well", String);
        await killed(ids[time % 2] ?? "");
        // The proxy looks every 5 seconds where each of them is.
        await sleep(6000);
        const both = Buffer.concat([half, half]);
        const last = await client.ask("PUT", client.uploadTarget(first, digestOf(both)), continued);
        if (last.status === 201) uploads++;
        assert.match(await slow, /^ended well$|"errors":\[/);
      }
    } finally {
      client.close();
      const { requests, failed, corrupt, pushed } = await load.stop();
      console.log(
        `      ${String(requests)} requests, ${String(pushed)} artifacts pushed, ${String(failed.length)} failed:`,
      );
      for (const failure of failed) console.log(`        ${failure}`);
      assert.ok(requests >= 2000, `only ${String(requests)} requests`);
      // What was under way at the killed one: half of the 30 clients, five times. An upload that it may have stored is
      // refused by the other one, and nginx gives up some instead of asking the other one.
      assert.ok(failed.length <= 75, failed.join("\n"));
      assert.deepEqual(corrupt, []);
    }
    assert.equal(uploads, 5);
  });

  /** Kills the process of a container, and waits until Docker has restarted it. */
  async function killed(id: string): Promise<void> {
    const startOf = () => docker("inspect", "--format", "{{.State.Pid}} {{.State.Running}} {{.State.StartedAt}}", id);
    const before = await startOf();
    process.kill(Number.parseInt(before), "SIGKILL");
    for (let tries = 0; tries < 200; tries++) {
      const now = await startOf();
      if (now !== before && now.includes(" true ")) return;
      await sleep(50);
    }
    assert.fail("it was not restarted");
  }

  it("are missed by every request if both are down, which says when to ask again", async () => {
    const load = new Load(outputs, { pullers: 2, pushers: 2 });
    const client = new RegistryClient(outputs.url, outputs.caCertificate, outputs.passwords);
    const ids = await checkout.containers("registry");
    await docker("kill", ...ids);
    try {
      const { status, header, body } = await client.ask("GET", "/v2/kept/tags/list", { as: "admin" });
      assert.match(String(status), /^50[24]$/);
      assert.deepEqual(header("retry-after"), ["5"]);
      assert.match(body.toString(), /^\{"errors":\[\{"code":"UNAVAILABLE"/);
    } finally {
      await docker("start", ...ids);
      client.close();
      assert.ok((await load.stop()).failed.length > 0, "the load didn't notice");
    }
  });

  it("have time for an upload when they are replaced, which `make up` names, and cut it after that", async () => {
    await replacements.change({ drainTimeout: 5 });
    const upload = transfers.push("slow", "1M").catch(String);
    await sleep(2000);
    checkout.set({ drainTimeout: 6 });
    const output = await checkout.makes("up");
    assert.match(output, /▸ Waiting for uploads to the old registry, \d+ s: slow \(\d+ MB\)/);
    assert.match(output, /▸ Cut after \d+ s, as set by drainTimeout: slow \(\d+ MB\)/);
    assert.doesNotMatch(output, /✗/);
    assert.match(String(await upload), /"code":"UNAVAILABLE"/);
    await replacements.assertSettled(6);
  });

  it("are all well after Ctrl-C, twice, while `make up` waits for an upload", async () => {
    await replacements.change({ drainTimeout: 900 });
    const upload = transfers.push("slow", "8M");
    await sleep(2000);
    checkout.set({ drainTimeout: 901 });
    // Pulumi waits for the step that is under way, and says so; it ends at once if it is asked a second time.
    const twice = async (group: number) => {
      stop(group, "SIGINT");
      await sleep(1000);
      stop(group, "SIGINT");
    };
    const stopped = await checkout.makeUntil("up", /▸ Waiting for uploads/, (group) => void twice(group));
    assert.notEqual(stopped.code, 0, stopped.output);
    assert.equal(transfers.running, 1, "the upload had ended before the run did");
    await upload;
    await transfers.pull("slow");
    assert.doesNotMatch(await checkout.makes("up"), /✗/);
    await replacements.assertSettled(901);
  });

  describe("answer while their replacement is killed", () => {
    let poll: Poll;
    before(() => {
      const authorization = basicAuthorization("admin", outputs.passwords["admin"] ?? "");
      poll = new Poll(`${outputs.url}/v2/kept/tags/list`, authorization, {
        ca: outputs.caCertificate,
        keepAlive: false,
      });
    });

    const deleting = "-registry-container-\\d deleting the original";
    const moments = [
      ["the setup", /-registry-setup-run creating/],
      ["the first container", /-registry-container-1 creating the replacement/],
      ["the second container", /-registry-container-2 creating the replacement/],
      ["the proxy's configuration", /-proxy-loader-run creating/],
      ["the end of one old container", new RegExp(deleting)],
      ["the end of the other one", new RegExp(`${deleting}[^]*${deleting}`)],
    ] as const;

    for (const [index, [moment, printed]] of moments.entries())
      it(`at ${moment}`, async () => {
        const drainTimeout = isWhole ? 100 + index : 100;
        checkout.set({ drainTimeout });
        const { code, output } = await checkout.makeUntil("up", printed, (group) => stop(group, "SIGKILL"));
        assert.match(output, printed);
        assert.equal(code, null, output);
        if (!isWhole && index < moments.length - 1) return;
        assert.doesNotMatch(await checkout.makes("up"), /✗/);
        await replacements.assertSettled(drainTimeout);
      });

    it("with no failed request in all that time", async () => {
      await poll.stop();
      console.log(`      ${String(poll.answered)} requests, ${String(poll.failures.length)} failed`);
      assert.deepEqual(poll.failures, []);
      assert.ok(poll.answered > 100, `only ${String(poll.answered)} were asked`);
    });
  });
});
