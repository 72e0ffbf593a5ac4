import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";

import { collect } from "../../../components/care/keeper/collect.ts";
import { runsIn } from "../../../components/care/keeper/trash.ts";
import { type Result, run } from "../../support/run.ts";
import { Storage } from "../../support/storage.ts";

const times = { grace: 3600, settle: 0, undo: 3600 };

function collectAlone(root: string, dieAt: number | "never"): Promise<Result> {
  const order = JSON.stringify({ job: "collect", root, ...times });
  const env = { ...process.env, DIE_AT: String(dieAt) };
  return run(process.execPath, ["--import", "./test/support/dying.ts", "test/support/keeper.ts", order], { env });
}

/** All that a collection does is due here: condemn, spare, take blobs and links, put back, empty, tidy. */
async function makeWorld(storage: Storage): Promise<{ kept: string[]; gone: string[] }> {
  const collected = () => collect({ root: storage.root, ...times });
  storage.image("app", ["went"], { tag: "0" });
  storage.deleteManifest("app", storage.image("app", ["went long ago"]));
  await collected();
  storage.pass(3700);
  await collected();
  storage.pass(7300);

  const kept = storage.image("app", ["kept", "shared"], { tag: "1" });
  const again = storage.layer("app", "named again");
  const gone = [storage.layer("app", "due"), storage.layer("app", "due as well"), storage.blob("without a link")];
  storage.layer("other", "shared");
  storage.deleteManifest("other", storage.image("other", ["only here"], { tag: "1" }));
  await collected();
  const naming = storage.manifest("app", { layers: [{ digest: `sha256:${again}` }] }, { tag: "2" });
  storage.pass(3700);
  storage.layer("app", "to be condemned");
  return { kept: [kept, naming, again, ...["kept", "shared", "went"].map((text) => storage.blob(text))], gone };
}

describe("a collection that is killed", function () {
  this.timeout(120_000);

  it("at any change that it makes to the disk leaves nothing that the next one doesn't mend", async () => {
    const world = new Storage();
    const { kept, gone } = await makeWorld(world);
    const copy = () => {
      const storage = new Storage();
      // With the times of folders, too.
      execFileSync("cp", ["-a", `${world.root}/.`, storage.root]);
      return storage;
    };
    const whole = copy();
    const changes = Number(/(\d+) changes/.exec((await collectAlone(whole.root, "never")).output)?.[1]);
    assert.ok(changes > 40, String(changes));
    whole.dispose();

    const killed = async (dieAt: number) => {
      const storage = copy();
      const { code, output } = await collectAlone(storage.root, dieAt);
      assert.equal(code, null, `not killed at ${String(dieAt)}: ${output}`);
      await collect({ root: storage.root, ...times });
      const at = `killed at ${String(dieAt)}`;
      for (const hex of kept) assert.ok(storage.hasBlob(hex) && !storage.isCondemned(hex), at);
      for (const layer of ["kept", "shared", "named again"]) {
        const hex = world.blob(layer);
        assert.ok(storage.hasLink("app", hex) && !storage.isLinkCondemned("app", hex), at);
      }
      // All that was due is gone: now, or a grace later if it had just come back.
      for (let times = 0; times < 3; times++) {
        storage.pass(3700);
        await collect({ root: storage.root, grace: 3600, settle: 0, undo: 3600 });
      }
      for (const hex of gone) assert.ok(!storage.hasBlob(hex) && !storage.hasLink("app", hex), at);
      storage.pass(8000);
      await collect({ root: storage.root, ...times, undo: 0 });
      await collect({ root: storage.root, ...times, undo: 0 });
      assert.deepEqual(runsIn(storage.root), [], at);
      assert.equal(storage.folders().length, kept.length + 1, at);
      storage.dispose();
    };
    for (let from = 0; from < changes; from += 4) {
      const some = Array.from({ length: Math.min(4, changes - from) }, (_, i) => killed(from + i));
      await Promise.all(some);
    }
    world.dispose();
  });
});
