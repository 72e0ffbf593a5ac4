import assert from "node:assert/strict";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

import { collect, type Event } from "../../../components/care/keeper/collect.ts";
import { layersOf, revisionsOf } from "../../../components/care/keeper/layout.ts";
import { Storage } from "../../support/storage.ts";

const times = { grace: 3600, settle: 0, undo: 3600 };

/** Does something right before or after a file is renamed to a path. */
function atRename(to: RegExp, when: "before" | "after", action: () => void): () => void {
  const usual = fs.renameSync;
  fs.renameSync = (from, path) => {
    const isMeant = to.test(String(path));
    if (isMeant && when === "before") action();
    usual(from, path);
    if (isMeant && when === "after") action();
  };
  syncBuiltinESMExports();
  return () => {
    fs.renameSync = usual;
    syncBuiltinESMExports();
  };
}

describe("a sweep", () => {
  let storage: Storage;
  let layer: string;

  beforeEach(async () => {
    storage = new Storage();
    storage.image("app", ["kept"], { tag: "1" });
    layer = storage.layer("app", "due");
    await collect({ root: storage.root, ...times });
    storage.pass(times.grace + 10);
  });
  afterEach(() => storage.dispose());

  const arrivals: Record<string, () => void> = {
    "pushed to the same repository": () => storage.write(`${layersOf("app")}/${layer}/link`, `sha256:${layer}`, 0),
    "pushed to a new repository": () => storage.write(`${layersOf("new/app")}/${layer}/link`, `sha256:${layer}`, 0),
    "pushed as a manifest": () => storage.write(`${revisionsOf("app")}/${layer}/link`, `sha256:${layer}`, 0),
    "about to be linked": () => storage.write(`${layersOf("app")}/${layer}/link.1.tmp`, "", 0),
  };
  for (const [what, arrive] of Object.entries(arrivals)) {
    it(`leaves a blob that has been ${what} since it was marked`, async () => {
      const events: Event[] = [];
      const tell = (event: Event) => {
        events.push(event);
        if ("step" in event && event.step === "repositories" && event.done === event.of) arrive();
      };
      const { blobs } = await collect({ root: storage.root, ...times }, tell);
      assert.deepEqual([blobs.gone, blobs.putBack], [0, 0]);
      assert.ok(storage.hasBlob(layer));
    });

    it(`puts a blob back at once that is ${what} just after it was taken`, async () => {
      const restore = atRename(new RegExp(`settling.*${layer}/data$`), "after", arrive);
      try {
        const { blobs } = await collect({ root: storage.root, ...times });
        assert.deepEqual([blobs.gone, blobs.putBack], [0, 1]);
      } finally {
        restore();
      }
      assert.ok(storage.hasBlob(layer) && !storage.isCondemned(layer));
    });

    it(`puts a blob back within 100 ms that is ${what} while it is watched`, async () => {
      const collected = collect({ root: storage.root, ...times, settle: 1 });
      await sleep(300);
      assert.ok(!storage.hasBlob(layer));
      arrive();
      await sleep(100);
      assert.ok(storage.hasBlob(layer));
      const { blobs } = await collected;
      assert.deepEqual([blobs.gone, blobs.putBack], [0, 1]);
    });
  }

  it("leaves new data alone that was pushed while the old one is aside", async () => {
    const collected = collect({ root: storage.root, ...times, settle: 1 });
    await sleep(300);
    const pushed = storage.write(`docker/registry/v2/blobs/sha256/${layer.slice(0, 2)}/${layer}/data`, "new", 0);
    storage.write(`${layersOf("app")}/${layer}/link`, `sha256:${layer}`, 0);
    await collected;
    assert.equal(storage.read(pushed), "new");
  });

  it("leaves a link that is written again just before it is taken", async () => {
    const restore = atRename(new RegExp(`settling.*${layer}/link$`), "before", () =>
      storage.write(`${layersOf("app")}/${layer}/link`, `sha256:${layer}`, 0),
    );
    try {
      const { links } = await collect({ root: storage.root, ...times });
      assert.deepEqual([links.gone, links.putBack], [0, 1]);
    } finally {
      restore();
    }
    assert.ok(storage.hasLink("app", layer) && !storage.isLinkCondemned("app", layer));
  });

  it("leaves a link that is written again just after it was taken", async () => {
    const restore = atRename(new RegExp(`settling.*${layer}/link$`), "after", () =>
      storage.write(`${layersOf("app")}/${layer}/link`, `sha256:${layer}`, 0),
    );
    await collect({ root: storage.root, ...times }).finally(restore);
    assert.ok(storage.hasLink("app", layer) && !storage.isLinkCondemned("app", layer));
  });
});
