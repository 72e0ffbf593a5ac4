import assert from "node:assert/strict";
import { rmSync } from "node:fs";

import { collect, empty, type Order, undo } from "../../../components/care/keeper/collect.ts";
import { repositoriesFolder } from "../../../components/care/keeper/layout.ts";
import { Busy, whileLocked } from "../../../components/care/keeper/lock.ts";
import { beginOfRun, nameOfRun, runsIn, Trash } from "../../../components/care/keeper/trash.ts";
import { longestUpload } from "../../../components/care/keeper/uploads.ts";
import { run as runProgram } from "../../support/run.ts";
import { Storage } from "../../support/storage.ts";

const times = { grace: 3600, settle: 0, undo: 3600 };

describe("what a collection took", () => {
  let storage: Storage;
  beforeEach(() => (storage = new Storage()));
  afterEach(() => storage.dispose());

  const run = (more: Partial<Order> = {}) => collect({ root: storage.root, ...times, ...more });

  async function collected(...layers: string[]): Promise<string> {
    storage.image("app", ["kept"], { tag: "1" });
    for (const layer of layers) storage.layer("app", layer);
    await run();
    storage.pass(times.grace + 10);
    return (await run()).run;
  }

  it("comes back when the run is undone, and stays for a grace", async () => {
    const name = await collected("one", "two");
    const layers = ["one", "two"].map((text) => new Storage(storage.root).blob(text, 0));
    for (const hex of layers) rmSync(storage.blobFolder(hex), { recursive: true });
    const paths = await undo(storage.root, name);
    assert.equal(paths.length, 4);
    assert.deepEqual(runsIn(storage.root), []);
    for (let times = 0; times < 2; times++) {
      for (const hex of layers) {
        assert.ok(storage.hasBlob(hex) && storage.hasLink("app", hex) && !storage.isLinkCondemned("app", hex));
      }
      await run();
    }
  });

  it("comes back with its tags, whose age stays, and after what it names", async () => {
    storage.image("app", ["one"], { tag: "1", age: 5000 });
    const trash = new Trash(storage.root, nameOfRun(new Date()));
    const tag = `${repositoriesFolder}/app/_manifests/tags/1/current/link`;
    const revision = storage.read(tag).slice("sha256:".length);
    const taken = [tag, `${repositoriesFolder}/app/_manifests/revisions/sha256/${revision}/link`];
    for (const path of taken) {
      assert.ok(trash.take(path));
      trash.keep(path);
    }
    assert.deepEqual(await undo(storage.root, trash.run), [...taken].reverse());
    assert.equal(storage.read(tag), `sha256:${revision}`);
    const age = Date.now() - storage.stat(tag).mtimeMs;
    assert.ok(age > 4000_000, String(age));
  });

  it("doesn't replace what is there again when the run is undone", async () => {
    const name = await collected("one");
    const pushed = storage.layer("app", "one", 0);
    storage.write(`docker/registry/v2/blobs/sha256/${pushed.slice(0, 2)}/${pushed}/data`, "pushed again", 0);
    await undo(storage.root, name);
    assert.equal(storage.read(`docker/registry/v2/blobs/sha256/${pushed.slice(0, 2)}/${pushed}/data`), "pushed again");
  });

  it("can't be undone if there is no such run", async () => {
    await assert.rejects(undo(storage.root, "20261129T120000000Z"), /there is no run/);
    await assert.rejects(undo(storage.root, "../.."), /there is no run/);
  });

  it("is gone for good once the time to undo it is over", async () => {
    const name = await collected("one");
    assert.deepEqual(
      runsIn(storage.root).map((each) => each.name),
      [name],
    );
    const soon = await collect({ root: storage.root, ...times });
    assert.equal(soon.emptied, 0);
    const { emptied } = await collect({ root: storage.root, ...times, undo: 0 });
    assert.equal(emptied, 3);
    assert.deepEqual(runsIn(storage.root), []);
  });

  it("is gone for good when somebody empties it", async () => {
    await collected("one", "three");
    assert.equal(await empty(storage.root), 8);
    assert.deepEqual(runsIn(storage.root), []);
  });

  it("comes back at the next start if the run was killed before it was gone, as a push may have linked it", async () => {
    const layer = storage.layer("app", "one");
    const image = storage.image("app", ["kept"], { tag: "1" });
    const trash = new Trash(storage.root, nameOfRun(new Date()));
    const path = `docker/registry/v2/blobs/sha256/${layer.slice(0, 2)}/${layer}/data`;
    assert.ok(trash.take(path));
    assert.equal((await run()).recovered, 1);
    assert.ok(storage.hasBlob(layer) && storage.hasBlob(image));
    assert.deepEqual(runsIn(storage.root), []);
  });

  it("comes back by itself if a manifest names it after all", async () => {
    await collected("one");
    const layer = storage.manifest("app", { layers: [{ digest: `sha256:${storage.blob("one", 0)}` }] });
    const hex = storage.blob("one");
    rmSync(storage.blobFolder(hex), { recursive: true });
    const { restored, missing } = await run();
    assert.deepEqual([restored, missing], [1, 0]);
    assert.ok(storage.hasBlob(hex) && storage.hasBlob(layer));
  });

  it("comes back by itself before it would be gone for good, when it can no longer be undone, and by hand", async () => {
    for (const [what, clear] of [
      ["a collection", () => run({ undo: 0 })],
      ["somebody who empties it", () => empty(storage.root)],
    ] as const) {
      await collected("one");
      storage.manifest("app", { layers: [{ digest: `sha256:${storage.blob("one", 0)}` }], what });
      const hex = storage.blob("one");
      rmSync(storage.blobFolder(hex), { recursive: true });
      await clear();
      assert.ok(storage.hasBlob(hex), what);
      storage.dispose();
      storage = new Storage();
    }
  });

  it("comes back by itself if it is a manifest, with what that names", async () => {
    const image = storage.image("app", ["one"], { tag: "1" });
    storage.image("app", ["kept"]);
    const trash = new Trash(storage.root, nameOfRun(new Date()));
    for (const hex of [image, storage.blob("one")]) {
      const path = `docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`;
      trash.take(path);
      trash.keep(path);
    }
    const { restored, missing } = await run();
    assert.deepEqual([restored, missing], [2, 0]);
    assert.ok(storage.hasBlob(image) && storage.hasBlob(storage.blob("one")));
  });

  it("has a name that tells when", () => {
    const began = new Date("2026-11-29T19:45:01.234Z");
    assert.equal(nameOfRun(began), "20261129T194501234Z");
    assert.equal(beginOfRun("20261129T194501234Z"), began.getTime());
    for (const other of ["", "gone", "20261129", "20261129T194501234Z.new"]) assert.equal(beginOfRun(other), undefined);
  });
});

describe("a job", () => {
  it("doesn't begin while another one is at work on the same data, in whatever process", async () => {
    const storage = new Storage();
    const order = JSON.stringify({ job: "collect", root: storage.root, ...times });
    const alone = () => runProgram(process.execPath, ["test/support/keeper.ts", order]);
    await whileLocked(storage.root, async () => {
      await assert.rejects(collect({ root: storage.root, ...times }), Busy);
      const { code, output } = await alone();
      assert.deepEqual([code, output.includes("another job is at work on the data")], [1, true]);
    });
    assert.equal((await alone()).code, 0);
    storage.dispose();
  });

  it("ends the lock even if it fails", async () => {
    const storage = new Storage();
    await assert.rejects(
      whileLocked(storage.root, () => Promise.reject(new Error("failed"))),
      /failed/,
    );
    await collect({ root: storage.root, ...times });
    storage.dispose();
  });
});

describe("the longest upload under way", () => {
  it("is the one that began first, unless nobody writes to it any more", () => {
    const storage = new Storage();
    const upload = (id: string, began: number, written: number) => {
      const folder = `${repositoriesFolder}/app/_uploads/${id}`;
      storage.write(`${folder}/data`, "x", written);
      storage.write(`${folder}/startedat`, "x", began);
      storage.age(`${folder}/data`, written);
    };
    assert.equal(longestUpload(storage.root, Date.now()), 0);
    upload("1", 500, 10);
    upload("2", 2000, 20);
    upload("3", 90_000, 4000);
    assert.equal(Math.round(longestUpload(storage.root, Date.now())), 2000);
    storage.dispose();
  });
});
