import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, rmSync, statSync, symlinkSync, writeSync } from "node:fs";
import { join } from "node:path";

import { guard, type GuardEvent, type State } from "../../../components/care/keeper/guard.ts";
import { fullFile, repositoriesFolder, stoppedFolder } from "../../../components/care/keeper/layout.ts";
import { stopUpload } from "../../../components/care/keeper/uploads.ts";
import { type Result, run } from "../../support/run.ts";
import { diskOf, Storage } from "../../support/storage.ts";

const kibibyte = 1024;
const capacity = 1000 * kibibyte;
const limits = { warning: 80, stop: 90, last: 50 * kibibyte };
const hour = 3600;

/** Bytes that take their room on the disk. */
function bytes(kibibytes: number): Buffer {
  return Buffer.alloc(kibibytes * kibibyte, kibibytes);
}

describe("the guard of the disk", () => {
  let storage: Storage;
  let told: GuardEvent[];
  let state: State | undefined;
  beforeEach(() => {
    [storage, told, state] = [new Storage(), [], undefined];
  });
  afterEach(() => storage.dispose());

  /** Returns the level. */
  async function look(): Promise<string> {
    const tell = (event: GuardEvent) => told.push(event);
    state = await guard({ root: storage.root, ...limits }, state, tell, (root) => diskOf(root, capacity));
    return state.level;
  }
  /** As if the uploads had not been looked through for long. */
  function letTimePass(): void {
    if (state) state = { ...state, due: 0 };
  }
  const isRefusing = () => storage.has(fullFile);
  const folderOf = (id: string, repository = "app") => `${repositoriesFolder}/${repository}/_uploads/${id}`;
  const dataOf = (id: string) => `${folderOf(id)}/data`;
  const levels = () => told.flatMap((event) => ("level" in event ? [event.level] : []));
  const deeds = () => told.flatMap((event) => ("deed" in event ? [`${event.deed} ${event.upload}`] : []));

  it("lets the proxy refuse pushes from the stop level on, until there is room again", async () => {
    const fill = (kibibytes: number) => storage.write("fill", bytes(kibibytes));
    for (const [used, level, refusing] of [
      [100, "ok", false],
      [820, "warning", false],
      [912, "stop", true],
      [890, "stop", true],
      [870, "warning", false],
      [900, "stop", true],
      [970, "last", true],
      [945, "last", true],
      [930, "stop", true],
      [300, "ok", false],
    ] as const) {
      fill(used);
      assert.deepEqual([await look(), isRefusing()], [level, refusing], String(used));
    }
    assert.deepEqual(levels(), ["warning", "stop", "warning", "stop", "last", "stop", "ok"]);
    assert.deepEqual(told[1], { level: "stop", before: "warning", used: 91, free: 88 * kibibyte });
  });

  it("goes on where it was killed: what is full stays so until there is room", async () => {
    storage.write("fill", bytes(890));
    assert.equal(await look(), "warning");
    storage.write("fill", bytes(910));
    assert.equal(await look(), "stop");
    storage.write("fill", bytes(890));
    state = undefined;
    assert.deepEqual([await look(), isRefusing()], ["stop", true]);
    storage.write("fill", bytes(100));
    state = undefined;
    assert.deepEqual([await look(), isRefusing()], ["ok", false]);
  });

  it("says it to the proxy again if somebody takes the file away", async () => {
    storage.write("fill", bytes(910));
    await look();
    rmSync(storage.path(fullFile));
    await look();
    assert.ok(isRefusing());
  });

  it("lets uploads go on at the stop level, and stops the largest at the last until there is room", async () => {
    storage.write("fill", bytes(600));
    for (const [id, size] of [
      ["small", 40],
      ["large", 160],
      ["medium", 110],
    ] as const)
      storage.upload("app", id, bytes(size));
    assert.equal(await look(), "stop");
    assert.deepEqual(deeds(), []);

    storage.upload("other", "another", bytes(50));
    assert.equal(await look(), "last");
    assert.deepEqual(deeds(), ["stop large"]);
    assert.ok(!storage.has(dataOf("large")) && !storage.has(`${folderOf("large")}/startedat`));
    assert.equal(storage.stat(`${stoppedFolder}/large`).size, 0);
    for (const id of ["small", "medium"]) assert.ok(storage.has(dataOf(id)), id);
    assert.equal(await look(), "warning");
    assert.deepEqual(deeds(), ["stop large"]);
  });

  it("stops as many as it takes at once", async () => {
    storage.write("fill", bytes(640));
    for (let n = 1; n <= 6; n++) storage.upload(`team/app-${String(n)}`, `of-${String(n)}`, bytes(40 + 4 * n));
    await look();
    assert.deepEqual(deeds(), ["stop of-6"]);
    storage.write("fill", bytes(780));
    letTimePass();
    await look();
    assert.deepEqual(deeds(), ["stop of-6", "stop of-5", "stop of-4"]);
  });

  it("frees what the registry still writes to an upload that was stopped, and forgets it an hour after that", async () => {
    storage.write("fill", bytes(850));
    storage.upload("app", "large", bytes(120));
    const file = openSync(storage.path(dataOf("large")), "r+");
    await look();
    const stopped = `${stoppedFolder}/large`;
    for (let at = 120; at < 160; at += 20) {
      writeSync(file, bytes(20), 0, undefined, at * kibibyte);
      assert.ok(storage.stat(stopped).blocks > 0);
      await look();
      assert.deepEqual([storage.stat(stopped).size, storage.stat(stopped).blocks], [0, 0]);
    }
    closeSync(file);
    storage.age(stopped, hour - 60);
    await look();
    assert.ok(storage.has(stopped));
    storage.age(stopped, hour + 60);
    await look();
    assert.ok(!storage.has(stopped));
  });

  it("leaves the blob whole if the upload has just become one", () => {
    storage.upload("app", "done", bytes(120));
    rmSync(storage.path(dataOf("done")));
    stopUpload(storage.root, { repository: "app", id: "done" });
    assert.deepEqual(readdirSync(storage.path(stoppedFolder)), []);
  });

  it("removes abandoned uploads with all that is left of them, at any level, and no others", async () => {
    storage.upload("app", "abandoned", bytes(10), hour + 60);
    storage.upload("team/app", "abandoned-too", "", hour + 60);
    storage.upload("app", "slow", bytes(10), hour - 60);
    storage.upload("app", "begun", "", 0);
    storage.write(`${folderOf("rest")}/hashstates/sha256/1`, "x", hour + 60);
    assert.equal(await look(), "ok");
    assert.deepEqual(deeds().sort(), ["remove abandoned", "remove abandoned-too"]);
    assert.deepEqual(readdirSync(storage.path(`${repositoriesFolder}/app/_uploads`)).sort(), ["begun", "slow"]);
    assert.deepEqual(readdirSync(storage.path(stoppedFolder)), []);
  });

  it("looks for abandoned uploads every ten minutes, and when the level changes", async () => {
    await look();
    storage.upload("app", "abandoned", bytes(10), hour + 60);
    await look();
    assert.deepEqual(deeds(), []);
    letTimePass();
    await look();
    assert.deepEqual(deeds(), ["remove abandoned"]);
    storage.upload("app", "again", bytes(10), hour + 60);
    storage.write("fill", bytes(910));
    await look();
    assert.deepEqual(deeds(), ["remove abandoned", "remove again"]);
  });

  it("removes an abandoned upload before it stops any other", async () => {
    storage.write("fill", bytes(600));
    storage.upload("app", "abandoned", bytes(200), hour + 60);
    storage.upload("app", "large", bytes(160));
    await look();
    assert.deepEqual(deeds(), ["remove abandoned"]);
    assert.ok(storage.has(dataOf("large")));
  });

  it("watches a data folder in which there is nothing yet", async () => {
    storage.dispose();
    storage = new Storage(storage.root);
    assert.equal(await look(), "ok");
    symlinkSync(storage.path("nowhere"), storage.path(`${repositoriesFolder}/broken`));
    state = undefined;
    assert.equal(await look(), "ok");
  });
});

describe("a guard that is killed", function () {
  this.timeout(60_000);

  /** The first time, one upload is stopped and one is removed. */
  function makeWorld(): Storage {
    const storage = new Storage();
    storage.write("fill", bytes(700));
    storage.upload("app", "large", bytes(150));
    storage.upload("app", "small", bytes(110));
    storage.upload("app", "abandoned", bytes(10), hour + 60);
    return storage;
  }

  /** With the times of folders, too. */
  const copy = (from: Storage, to: Storage) => execFileSync("cp", ["-a", `${from.root}/.`, to.root]);

  function lookAlone(root: string, dieAt: number | "never"): Promise<Result> {
    const order = JSON.stringify({ root, ...limits, capacity });
    const env = { ...process.env, DIE_AT: String(dieAt) };
    return run(process.execPath, ["--import", "./test/support/dying.ts", "test/support/guard.ts", order], { env });
  }

  /** The uploads that the registry can find, each of which is whole, and what was stopped. */
  function found(storage: Storage): { readonly going: string[]; readonly stopped: string[] } {
    const uploads = storage.path(`${repositoriesFolder}/app/_uploads`);
    const going = readdirSync(uploads).filter((id) => existsSync(join(uploads, id, "data")));
    const sizes: Record<string, number> = { large: 150, small: 110, abandoned: 10 };
    for (const id of going) assert.equal(statSync(join(uploads, id, "data")).size, (sizes[id] ?? 0) * kibibyte, id);
    const folder = storage.path(stoppedFolder);
    return { going: going.sort(), stopped: existsSync(folder) ? readdirSync(folder) : [] };
  }

  it("at any change that it makes to the disk leaves no upload cut short, and the next one goes on", async () => {
    const world = makeWorld();
    const whole = new Storage();
    copy(world, whole);
    const changes = Number(/(\d+) changes/.exec((await lookAlone(whole.root, "never")).output)?.[1]);
    assert.ok(changes >= 12, String(changes));
    assert.deepEqual(found(whole), { going: ["small"], stopped: ["large"] });
    whole.dispose();

    for (let dieAt = 0; dieAt < changes; dieAt++) {
      const storage = new Storage();
      copy(world, storage);
      const at = `killed at ${String(dieAt)}`;
      const { code, output } = await lookAlone(storage.root, dieAt);
      assert.equal(code, null, `not ${at}: ${output}`);
      found(storage);
      await guard(
        { root: storage.root, ...limits },
        undefined,
        () => undefined,
        (root) => diskOf(root, capacity),
      );
      const { going, stopped } = found(storage);
      assert.deepEqual(going, ["small"], at);
      assert.ok(stopped.includes("large"), at);
      for (const id of stopped) assert.equal(storage.stat(`${stoppedFolder}/${id}`).size, 0, at);
      storage.dispose();
    }
    world.dispose();
  });
});
