import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { digestOf, manifestOf, RegistryClient } from "../../cli/client.ts";
import type { JobResult } from "../../components/care/keeper/results.ts";
import type { Outputs } from "../../components/outputs.ts";
import { Checkout } from "../support/checkout.ts";
import { itInTestLong } from "../support/matrix.ts";
import { succeed } from "../support/run.ts";
import { settings } from "../support/settings.ts";

/** What no push made: the steps depend on each other. */
describe("the care of the data", function () {
  this.timeout(5 * 60_000);

  const layers = { kept: Buffer.alloc(100_000, "kept"), gone: Buffer.alloc(200_000, "gone") };
  const digest = digestOf(layers.gone);

  let checkout: Checkout;
  let outputs: Outputs;
  let client: RegistryClient;

  before(async () => {
    checkout = new Checkout();
    await checkout.configure({ deletion: true, care: {} });
    outputs = await checkout.bringUp();
    client = new RegistryClient(outputs.url, outputs.caCertificate, outputs.passwords);
    for (const [name, layer] of Object.entries(layers))
      for (const { status } of await client.pushArtifact("admin", `team/${name}`, layer)) assert.equal(status, 201);
  });

  after(async () => {
    client.close();
    await checkout.dispose();
  });

  const ask = async (method: string, path: string) => (await client.ask(method, `/v2/${path}`, { as: "admin" })).status;
  const manifest = (name: keyof typeof layers) => `team/${name}/manifests/${digestOf(manifestOf(layers[name]))}`;
  const blob = `team/gone/blobs/${digest}`;

  async function inKeeper(script: string): Promise<string> {
    const [keeper = ""] = await checkout.containers("keeper");
    return checkout.docker(["exec", keeper, "sh", "-euc", script]);
  }

  /** As if all that is there, and all that was decided, were some days old. */
  const wait = () => inKeeper("find /data/docker -exec touch -h -d '2026-01-01' {} +");
  const gc = (env: NodeJS.ProcessEnv = {}) => checkout.makes("gc", { env });

  it("says what would go, and changes nothing, while nobody has asked for more", async () => {
    assert.equal(await ask("DELETE", manifest("gone")), 202);
    assert.match(await gc({ DRY: "1" }), /^0 MB would go/m);
    await wait();
    const before = await inKeeper("find /data/docker | sort");
    const printed = await gc({ DRY: "1" });
    assert.match(printed, new RegExp(`condemn ${digest} in team/gone: no manifest of this repository names it`));
    assert.match(printed, new RegExp(`condemn ${digest}: no manifest names it`));
    assert.doesNotMatch(printed, new RegExp(digestOf(layers.kept)));
    assert.equal(await inKeeper("find /data/docker | sort"), before);
  });

  it("condemns what no manifest needs: who would push it again finds it missing, and pulls go on", async () => {
    const printed = await gc();
    assert.match(printed, /^blobs +5 +2 /m);
    assert.deepEqual([await ask("HEAD", blob), await ask("GET", blob)], [404, 200]);
    assert.equal(await ask("HEAD", `team/kept/blobs/${digestOf(layers.kept)}`), 200);
    const { result, isDry } = JSON.parse(await inKeeper("cat /data/keeper/results/collect.json")) as JobResult;
    assert.deepEqual([result, isDry], ["done", false]);
    assert.match(
      await checkout.makes("status", { env: { QUICK: "1" } }),
      /[✓·] keeper +(healthy|starting)[^]*✓ collection +done at /,
    );
  });

  it("takes it away a grace later, and gives the room back when it can't be undone any more", async () => {
    await wait();
    const run = /To put all of it back: make gc UNDO=(\w+)/.exec(await gc())?.[1] ?? "";
    assert.deepEqual([await ask("HEAD", blob), await ask("GET", blob)], [404, 404]);
    assert.equal(await ask("GET", manifest("kept")), 200);

    assert.match(await gc({ UNDO: run }), /^Put back 4 files of the run/m);
    assert.equal(await ask("GET", blob), 200);
    assert.match((await checkout.make("gc", { env: { UNDO: run } })).output, /there is no run \w+ to undo/);

    await wait();
    await gc();
    await wait();
    await gc();
    const size = () => inKeeper("du -sk /data | cut -f1").then(Number);
    const before = await size();
    assert.match(await gc({ EMPTY: "1" }), /^Removed 0\.2 MB for good/m);
    assert.ok(before - (await size()) >= 190);
    assert.equal(await ask("GET", manifest("kept")), 200);
  });

  it("lets an image come back at any time", async () => {
    for (const { status } of await client.pushArtifact("admin", "team/gone", layers.gone)) assert.equal(status, 201);
    assert.equal(await ask("GET", blob), 200);
    await wait();
    await gc();
    assert.equal(await ask("HEAD", blob), 200);
  });

  it("refuses two wishes at once, and a second run while one is under way", async () => {
    const { code, output } = await checkout.make("gc", { env: { DRY: "1", NOW: "1" } });
    assert.notEqual(code, 0);
    assert.match(output, /Give only one of DRY=1, NOW=1, EMPTY=1 and UNDO=RUN/);
    const hold = `node -e '
      const { DatabaseSync } = require("node:sqlite");
      const lock = new DatabaseSync("/data/keeper/lock");
      lock.exec("BEGIN EXCLUSIVE");
      setTimeout(() => lock.close(), 20000);' & sleep 1`;
    await inKeeper(hold);
    assert.match((await checkout.make("gc")).output, /another job is at work on the data; try again later/);
  });

  it("has a keeper that reaches nothing outside, and has no key and no socket", async () => {
    const [keeper = ""] = await checkout.containers("keeper");
    const image = settings.images.node;
    const serve = 'require("node:http").createServer((_, answer) => answer.end("outside")).listen(8080)';
    const outside = await checkout.docker(["run", "--detach", "--rm", image, "node", "-e", serve]);
    try {
      const address = await checkout.docker(["inspect", "--format", "{{.NetworkSettings.IPAddress}}", outside]);
      const ask = `fetch("http://${address}:8080", { signal: AbortSignal.timeout(3000) })
        .then((answer) => answer.text()).then(console.log, () => console.log("nothing"))`;
      assert.equal(await checkout.docker(["run", "--rm", image, "node", "-e", ask]), "outside");
      assert.equal(await checkout.docker(["exec", keeper, "node", "-e", ask]), "nothing");
    } finally {
      await checkout.docker(["rm", "--force", outside]);
    }
    const inspected = await checkout.docker(["inspect", "--format", "{{json .Mounts}}", keeper]);
    const mounts = (JSON.parse(inspected) as { Destination: string; RW: boolean }[]).map(({ Destination, RW }) => [
      Destination,
      RW,
    ]);
    assert.deepEqual(mounts.sort(), [
      ["/data", true],
      ["/etc/keeper", false],
    ]);
  });

  itInTestLong("runs on its schedule, where nobody has run it before only to tell", async () => {
    await inKeeper("rm /data/keeper/results/collect.json");
    const soon = new Date(Date.now() + 100_000).toISOString().slice(11, 16);
    checkout.set({ care: { collect: soon } });
    await checkout.bringUp();
    const result = () => inKeeper("cat /data/keeper/results/collect.json 2>/dev/null || true");
    for (const end = Date.now() + 200_000; (await result()) === "" && Date.now() < end;) await sleep(1000);
    const { isDry, began } = JSON.parse(await result()) as JobResult;
    assert.deepEqual([isDry, began.slice(11, 16)], [true, soon]);
  });
});

/** Needs root. */
describe("the care of data on a small disk", function () {
  this.timeout(5 * 60_000);

  const folder = mkdtempSync(join(tmpdir(), "data-"));
  const mebibyte = 2 ** 20;
  let checkout: Checkout;
  let client: RegistryClient;

  before(async () => {
    await succeed("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", folder]);
    checkout = new Checkout();
    await checkout.configure({ dataPath: folder, care: {} });
    const outputs = await checkout.bringUp();
    client = new RegistryClient(outputs.url, outputs.caCertificate, outputs.passwords);
  });

  after(async () => {
    client.close();
    await checkout.dispose();
    await succeed("umount", [folder]);
    rmSync(folder, { recursive: true });
  });

  const begin = () => client.ask("POST", "/v2/team/app/blobs/uploads/", { as: "admin" });
  const statusWithin = async (seconds: number, wanted: number) => {
    const end = Date.now() + seconds * 1000;
    let status = 0;
    while (status !== wanted && Date.now() < end) {
      ({ status } = await begin());
      await sleep(100);
    }
    assert.equal(status, wanted);
  };
  const other = join(folder, "docker/other");

  it("refuses a push while nearly all is used, in words that help, and goes on when there is room", async () => {
    assert.equal((await client.pushBlob("admin", "team/app", Buffer.alloc(mebibyte))).status, 201);
    writeFileSync(other, Buffer.alloc(59 * mebibyte));
    await statusWithin(20, 403);
    const { body } = await begin();
    assert.match(body.toString(), /"DENIED","message":"the disk of the registry is full: .* make gc NOW=1/);
    const blob = `/v2/team/app/blobs/${digestOf(Buffer.alloc(mebibyte))}`;
    assert.equal((await client.ask("GET", blob, { as: "admin" })).status, 200);
    rmSync(other);
    await statusWithin(20, 202);
  });

  it("refuses nothing once nobody watches any more", async () => {
    writeFileSync(other, Buffer.alloc(59 * mebibyte));
    await statusWithin(20, 403);
    checkout.set({ care: undefined });
    await checkout.bringUp();
    assert.deepEqual(await checkout.containers("keeper"), []);
    await statusWithin(20, 202);
  });
});
