import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";

import { releaseLock } from "../../../cli/lock.ts";

describe("the lock of a stack, before a run", () => {
  const before = process.env["PULUMI_BACKEND_URL"];
  let folder: string;
  let file: string;
  let done: string[];
  const stack = {
    name: "test",
    about: (...command: readonly string[]) => [...command],
    pulumi: (args: readonly string[]) => Promise.resolve(String(done.push(args.join(" ")))),
    forgetState: () => void done.push("the state is forgotten"),
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lock-"));
    const locks = join(folder, ".pulumi/locks/organization/private-registry/test");
    mkdirSync(locks, { recursive: true });
    file = join(locks, "one.json");
    done = [];
    process.env["PULUMI_BACKEND_URL"] = `file://${folder}?metadata=skip`;
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
    if (before === undefined) delete process.env["PULUMI_BACKEND_URL"];
    else process.env["PULUMI_BACKEND_URL"] = before;
  });

  function hold(pid: number): void {
    writeFileSync(file, JSON.stringify({ pid, hostname: hostname() }));
  }

  it("costs nothing if nobody holds it", async () => {
    await releaseLock(stack);
    assert.deepEqual(done, []);
  });

  it("is waited for while its holder lives, and the holder's changes to the state are seen", async () => {
    const holder = spawn("sleep", ["30"]);
    assert.ok(holder.pid);
    hold(holder.pid);
    let isReleased = false;
    const released = releaseLock(stack).then(() => (isReleased = true));
    await new Promise((resolve) => setTimeout(resolve, 700));
    assert.equal(isReleased, false);
    rmSync(file);
    await released;
    holder.kill();
    assert.deepEqual(done, ["the state is forgotten"]);
  });

  it("is taken from a killed holder, and the holder's changes to the state are seen", async () => {
    const holder = spawn("true");
    await new Promise((resolve) => holder.once("close", resolve));
    assert.ok(holder.pid);
    hold(holder.pid);
    await releaseLock(stack);
    assert.deepEqual(done, ["the state is forgotten", "cancel --yes"]);
  });
});
