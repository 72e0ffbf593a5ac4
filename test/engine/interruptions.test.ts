import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { Checkout, freePort } from "../support/checkout.ts";
import { type Result, stop } from "../support/run.ts";

/** What a run prints when it removes what a killed one left: Pulumi's lock, or a container. */
const cures = {
  lock: /▸ A run was killed while it held the lock of this stack: releasing it/,
  container: /▸ A run was killed before it could record a container: removing/,
};

interface Moment {
  readonly at: string;
  readonly printed: RegExp;
  /** As by Ctrl-C, or as in a power failure. */
  readonly signal: "SIGINT" | "SIGKILL";
  /** What the run that follows must say. */
  readonly cured?: readonly RegExp[];
}

/** From nothing to the last proof: each run follows the kill before, and gets one moment further. */
const moments: readonly Moment[] = [
  { at: "its first line", printed: /▸ Creating stack/, signal: "SIGKILL" },
  { at: "the start of Pulumi", printed: /▸ pulumi up/, signal: "SIGINT" },
  { at: "the networks", printed: /docker:index:Network .* creating/, signal: "SIGKILL", cured: [cures.lock] },
  { at: "the setup of the registry", printed: /-registry-setup-run creating/, signal: "SIGINT" },
  {
    at: "the registry's container",
    printed: /-registry-container-1 creating/,
    signal: "SIGKILL",
    cured: [cures.lock, cures.container],
  },
  { at: "the proxy's configuration", printed: /-proxy-loader-run creating/, signal: "SIGINT" },
  { at: "the last proofs", printed: /✓ push/, signal: "SIGKILL" },
];

describe("`make up`, stopped again and again, each time one moment later", function () {
  this.timeout(3 * 60_000);

  let checkout: Checkout;
  /** What the next run must say of the kill before it. */
  let cured: readonly RegExp[] = [];

  before(async () => {
    checkout = new Checkout();
    checkout.set({ port: await freePort() });
  });
  after(() => checkout.dispose());

  /** The registry's container exists some seconds before it is healthy, and so before Pulumi records it. */
  async function untilRegistryRuns(): Promise<void> {
    for (let tries = 0; tries < 100 && (await checkout.containers("registry")).length === 0; tries++) await sleep(20);
  }

  function assertCured(output: string): void {
    for (const cure of cured) assert.match(output, cure);
  }

  for (const moment of moments) {
    it(`by ${moment.signal} at ${moment.at}`, async () => {
      const { printed, signal } = moment;
      const stopped = await checkout.makeUntil("up", printed, (group) => {
        const ready = moment.cured?.includes(cures.container) ? untilRegistryRuns() : Promise.resolve();
        void ready.then(() => stop(group, signal));
      });
      assert.match(stopped.output, printed);
      // A run that ended by itself would have succeeded. A killed `make` has no exit code.
      if (signal === "SIGKILL") assert.equal(stopped.code, null, stopped.output);
      else assert.notEqual(stopped.code, 0, stopped.output);
      assertCured(stopped.output);
      cured = moment.cured ?? [];
    });
  }

  it("is followed by a run that succeeds, with every proof, and leaves nothing to change", async () => {
    const output = await checkout.makes("up");
    assertCured(output);
    assert.equal(output.match(/✓/g)?.length, 6, output);
    assert.doesNotMatch(output, /✗/);
    const again = await checkout.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes");
    assert.equal(again.code, 0, again.output);
  });

  it("is followed by a run that waits for the image build of a killed one before it begins its own", async () => {
    const log = join(checkout.folder, "builds");
    const hold = join(checkout.folder, "hold");
    writeFileSync(hold, "");
    const build = [
      "#!/bin/sh",
      `echo begin >>'${log}'`,
      "echo '▸ building' >&2",
      `for try in $(seq 600); do [ ! -e '${hold}' ] || sleep 0.1; done`,
      `echo end >>'${log}'`,
      "exit 2",
    ];
    writeFileSync(join(checkout.folder, "airgap/build"), build.join("\n"));
    checkout.set({ proxyImage: "localhost:1/none:1" });

    let next: Promise<Result> | undefined;
    const killed = await checkout.makeUntil("up", /▸ building/, (make) => {
      // `make` alone: its children don't notice.
      process.kill(make, "SIGKILL");
      const waiting = /▸ Another run is active in this folder: waiting for it to finish/;
      next = checkout.makeUntil("up", waiting, () => rmSync(hold));
    });
    assert.equal(killed.code, null, killed.output);
    const waited = await next;
    assert.match(waited?.output ?? "", /waiting for it to finish[^]*▸ building/);
    assert.equal(readFileSync(log, "utf8"), "begin\nend\nbegin\nend\n");
  });
});
