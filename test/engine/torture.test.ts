import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { type Answer, digestOf, RegistryClient } from "../../cli/client.ts";
import type { Summary } from "../../components/care/keeper/collect.ts";
import { filesBelow } from "../../components/care/keeper/files.ts";
import { blobMarker, blobsFolder, layersOf, repositoriesFolder } from "../../components/care/keeper/layout.ts";
import type { Outputs } from "../../components/outputs.ts";
import { registryUser } from "../../components/registry/user.ts";
import { Checkout } from "../support/checkout.ts";
import { itInTestLong } from "../support/matrix.ts";
import { docker, run } from "../support/run.ts";
import { type Count, Torture } from "../support/torture.ts";

const seconds = Number(process.env["TORTURE_SECONDS"] ?? 180);
/** Longer than any push of the torture, in seconds. */
const times = { grace: 10, settle: 2, undo: 40 };
const user = Number(registryUser.split(":")[0]);

/** What came of the collections. */
interface Collections {
  ended: number;
  killed: number;
  gone: number;
  links: number;
  putBack: number;
  recovered: number;
  spared: number;
  bytes: number;
  readonly failed: string[];
}

/** Needs root, as the registry's files are another user's. */
describe("a collection beside a serving registry", function () {
  this.timeout((seconds + 900) * 1000);

  const folder = mkdtempSync(join(tmpdir(), "data-"));
  const repositories = join(folder, repositoriesFolder);
  let checkout: Checkout;
  let outputs: Outputs;
  let client: RegistryClient;

  before(async () => {
    chmodSync(folder, 0o755);
    checkout = new Checkout();
    await checkout.configure({ dataPath: folder, deletion: true });
    outputs = await checkout.bringUp();
    client = new RegistryClient(outputs.url, outputs.caCertificate, outputs.passwords);
  });
  after(async () => {
    client.close();
    await checkout.dispose();
    rmSync(folder, { recursive: true });
  });

  const ask = (method: string, path: string, headers: Record<string, string> = {}): Promise<Answer> =>
    client.ask(method, `/v2/${path}`, { as: "admin", headers });

  /** A job of the keeper, as the registry's user. */
  function keeper(job: string, more: object = {}, env: NodeJS.ProcessEnv = {}): ChildProcess {
    const order = JSON.stringify({ job, user, root: folder, ...times, ...more });
    const args = ["--import", "./test/support/dying.ts", "test/support/keeper.ts", order];
    return spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  }

  /** Its result; undefined if it was killed. */
  async function resultOf<Result>(child: ChildProcess): Promise<Result | undefined> {
    let result: Result | undefined;
    if (child.stdout === null) throw new Error("no output");
    const end = new Promise<[number | null, string | null]>((resolve) =>
      child.once("close", (code: number | null, signal: string | null) => resolve([code, signal])),
    );
    for await (const line of createInterface(child.stdout)) {
      const said = JSON.parse(line) as { result?: Result };
      if (said.result !== undefined) ({ result } = said);
    }
    const [code, signal] = await end;
    if (code !== 0 && signal !== "SIGKILL") throw new Error(`the keeper ended with ${String(code)}`);
    return result;
  }

  const collected = (more: object = {}) => resultOf<Summary>(keeper("collect", more));

  const layer = Buffer.from("condemned by hand");
  const hex = digestOf(layer).slice("sha256:".length);
  const link = join(folder, layersOf("team/app"), hex, "link");
  const blob = `team/app/blobs/${digestOf(layer)}`;

  /** Pushes the layer and condemns it, as a collection does. */
  async function condemn(): Promise<void> {
    assert.equal((await client.pushBlob("admin", "team/app", layer)).status, 201);
    chmodSync(link, 0o744);
    writeFileSync(join(folder, blobMarker(hex)), "");
  }

  it("has the proxy deny a condemned blob to who looks for it, however, and serve it", async () => {
    await condemn();
    for (const headers of [
      {},
      { "If-None-Match": '"x"' },
      { "If-Match": `"${digestOf(layer)}"` },
      { Range: "bytes=0-1" },
    ]) {
      assert.equal((await ask("HEAD", blob, headers)).status, 404, JSON.stringify(headers));
      const { status, body } = await ask("GET", blob, headers);
      assert.deepEqual(
        [Math.floor(status / 100), body.toString().startsWith("co")],
        [2, true],
        JSON.stringify(headers),
      );
    }
  });

  it("has the proxy find it again as soon as it was pushed again", async () => {
    assert.equal((await client.pushBlob("admin", "team/app", layer)).status, 201);
    assert.equal((await ask("HEAD", blob)).status, 200);
    assert.ok(existsSync(join(folder, blobMarker(hex))));
  });

  it("has the proxy turn a mount of a condemned blob into an upload, however it is spelled", async () => {
    const mount = async (spelled: string) =>
      (await client.ask("POST", `/v2/other/app/blobs/uploads/?${spelled}`, { as: "admin" })).status;
    const spellings = [
      `mount=${digestOf(layer)}&from=team/app`,
      `from=team%2Fapp&mount=${digestOf(layer).replace(":", "%3A")}`,
      `mount=${digestOf(layer).replace(":", "%3a")}&origin=x&from=team%2fapp`,
    ];
    for (const spelled of spellings) assert.equal(await mount(spelled), 202, spelled);
    rmSync(join(folder, blobMarker(hex)));
    for (const spelled of spellings) assert.equal(await mount(spelled), 201, spelled);
  });

  it("lets docker push what is condemned: it looks once more after it has sent a layer", async () => {
    const name = `${new URL(outputs.url).host}/team/docker`;
    await docker("build", "--quiet", "--tag", name, "test/support/tinyImage");
    const config = mkdtempSync(join(tmpdir(), "docker-"));
    const env = { ...process.env, DOCKER_CONFIG: config };
    const input = outputs.passwords["admin"] ?? "";
    try {
      const login = ["login", "--username", "admin", "--password-stdin", new URL(outputs.url).host];
      assert.equal((await run("docker", login, { env, input })).code, 0);
      for (let times = 0; times < 2; times++) {
        const { code, output } = await run("docker", ["push", name], { env });
        assert.equal(code, 0, output);
        assert.match(output, times === 0 ? /Pushed/ : /^(?!.*already exists)[^]*Pushed/);
        const layers = join(folder, layersOf("team/docker"));
        const all = readdirSync(layers);
        for (const each of all) {
          chmodSync(join(layers, each, "link"), 0o744);
          writeFileSync(join(folder, blobMarker(each)), "");
        }
        assert.ok(all.length > 0);
        const [digest = ""] = (await ask("HEAD", "team/docker/manifests/latest")).header("docker-content-digest");
        assert.equal((await ask("DELETE", `team/docker/manifests/${digest}`)).status, 202);
      }
    } finally {
      await run("docker", ["rmi", name]);
      rmSync(config, { recursive: true });
    }
  });

  it("refuses nobody and loses nothing, while it is killed again and again, and gives the space back", async () => {
    const torture = new Torture(outputs, { slowest: 3 });
    torture.start({ pushers: 10, pullers: 10 });
    const collections = await collectFor(seconds);
    const { count } = torture;
    await torture.stop();
    print(count, JSON.stringify(collections), await torture.check());

    assert.deepEqual(collections.failed, []);
    assert.deepEqual(failuresOf(count), { failedPushes: 0, failedPulls: 0, lost: 0 });
    assert.ok(count.longest < times.grace, `a push took ${String(count.longest)} seconds, longer than the grace`);
    const minutes = seconds / 60;
    for (const [what, done, least] of [
      ["pushes", count.pushes, 200],
      ["pulls", count.pulls, 200],
      ["deletions", count.deletions, 100],
      ["blobs gone", collections.gone, 100],
      ["links gone", collections.links, 100],
      ["blobs put back", collections.putBack, 0.3],
      ["collections killed", collections.killed, 2],
      ["collections that ended", collections.ended, 2],
    ] as const) {
      assert.ok(done >= least * minutes, `only ${String(done)} ${what}`);
    }

    await assertSpaceGivenBack(torture);
    torture.close();
  });

  /** One collection after the other: one of three ends by itself, one is killed at any moment, one right after a rename. */
  async function collectFor(seconds: number, more: object = {}): Promise<Collections> {
    const all: Collections = {
      ...{ ended: 0, killed: 0, gone: 0, links: 0, putBack: 0, recovered: 0, spared: 0, bytes: 0 },
      failed: [],
    };
    const end = Date.now() + seconds * 1000;
    let last = 3000;
    for (let turn = 0; Date.now() < end; turn++) {
      const began = Date.now();
      const aimed = { DIE_AFTER: `${String(1 + Math.floor(Math.random() * 20))} settling/.*/(data|link)$` };
      const child = keeper("collect", more, turn % 3 === 2 ? aimed : {});
      const kill = turn % 3 === 1 ? setTimeout(() => child.kill("SIGKILL"), Math.random() * last) : undefined;
      try {
        const result = await resultOf<Summary>(child);
        if (result === undefined) all.killed++;
        else {
          last = Date.now() - began;
          all.ended++;
          all.gone += result.blobs.gone;
          all.links += result.links.gone;
          all.putBack += result.blobs.putBack + result.links.putBack + result.restored;
          all.recovered += result.recovered;
          all.spared += result.blobs.spared + result.links.spared;
          all.bytes += result.bytes;
        }
      } catch (error) {
        all.failed.push(String(error));
      }
      clearTimeout(kill);
      await sleep(Math.random() * 1500);
    }
    return all;
  }

  function print(count: Count, collections: string, held: number): void {
    const numbers = Object.entries(count).map(([what, of]) => `${what} ${String(Array.isArray(of) ? of.length : of)}`);
    console.log(`      ${numbers.join(", ")}; images left ${String(held)}`);
    console.log(`      ${collections}`);
    for (const some of [count.failedPushes, count.failedPulls, count.lost]) {
      for (const line of some.slice(0, 5)) console.log(`      ${line}`);
    }
  }

  async function assertSpaceGivenBack(torture: Torture): Promise<void> {
    const now = { grace: 1, settle: 0, undo: 0 };
    for (let times = 0; times < 4; times++) {
      await sleep(2500);
      await collected(now);
    }
    await resultOf(keeper("empty"));
    const blobs = [...filesBelow(join(folder, blobsFolder))];
    const onDisk = blobs.reduce((sum, path) => sum + statSync(join(folder, blobsFolder, path)).size, 0);
    // Those of the other tests.
    const others = blobs.filter((path) => !torture.needed().has(`sha256:${path.split("/")[1] ?? ""}`));
    const needed = [...torture.needed().values()].reduce((sum, size) => sum + size, 0);
    console.log(
      `      ${String(onDisk)} bytes on the disk, ${String(needed)} needed; ${String(others.length)} other blobs`,
    );
    assert.ok(
      onDisk <= needed * 1.01 && onDisk >= needed,
      `${String(onDisk)} bytes on the disk, ${String(needed)} needed`,
    );
    assert.ok(!existsSync(join(folder, "keeper/trash")) || readdirSync(join(folder, "keeper/trash")).length === 0);
    const once = existsSync(join(repositories, "once")) ? readdirSync(join(repositories, "once")) : [];
    const left = new Set(
      [...torture.repositories()].filter((name) => name.startsWith("once/")).map((name) => name.slice(5)),
    );
    assert.deepEqual(once.sort(), [...left].sort());
    assert.equal(await torture.check(), torture.size);
    assert.deepEqual(torture.count.lost, []);
  }

  /** Runs collections until a push has failed, or for so long, in seconds. */
  async function tortureUntilRefused(longest: number, what: string, slowest = 3, more: object = {}): Promise<void> {
    const torture = new Torture(outputs, { slowest });
    torture.start({ pushers: 10, pullers: 10 });
    const end = Date.now() + longest * 1000;
    while (Date.now() < end && torture.count.failedPushes.length === 0) await collectFor(1, more);
    await torture.stop();
    print(torture.count, what, torture.size);
    torture.close();
    assert.ok(torture.count.failedPushes.length > 0, "no push failed");
  }

  it("would be seen to refuse pushes if its grace were shorter than they are", () =>
    tortureUntilRefused(180, "a grace of one second", 8, { grace: 1 }));

  itInTestLong("would be seen to refuse pushes if the proxy showed what is condemned", async () => {
    const file = join(checkout.folder, "components/proxy/nginx/blobs.ts");
    const usual = checkout.read("components/proxy/nginx/blobs.ts");
    const faulty = usual.replace("if (-x ${dataFolder}/", "if (-x ${dataFolder}/nowhere/");
    assert.notEqual(faulty, usual);
    writeFileSync(file, faulty);
    await checkout.bringUp();
    await tortureUntilRefused(600, "a proxy that shows what is condemned");
    writeFileSync(file, usual);
    await checkout.bringUp();
  });

  it("would be seen to lose images if it were the registry's own", async () => {
    const torture = new Torture(outputs, { slowest: 3 });
    torture.start({ pushers: 10, pullers: 10 });
    const registry = await checkout.registry();
    const config = await docker("inspect", "--format", "{{index .Args 1}}", registry);
    const end = Date.now() + 60_000;
    let runs = 0;
    while (Date.now() < end) {
      const { code } = await run("docker", [
        "exec",
        registry,
        "registry",
        "garbage-collect",
        "--delete-untagged",
        "--quiet",
        config,
      ]);
      if (code === 0) runs++;
      await sleep(1000);
    }
    await torture.stop();
    print(torture.count, `${String(runs)} collections by the registry's own`, await torture.check());
    torture.close();
    const { failedPulls, lost } = failuresOf(torture.count);
    assert.ok(runs > 2, `only ${String(runs)} collections`);
    assert.ok(failedPulls > 0 && lost > 0);
  });
});

function failuresOf({ failedPushes, failedPulls, lost }: Count) {
  return { failedPushes: failedPushes.length, failedPulls: failedPulls.length, lost: lost.length };
}
