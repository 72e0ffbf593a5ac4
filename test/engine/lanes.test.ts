import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

import { docker, run, type Result, type RunOptions, stop } from "../support/run.ts";
import { settings } from "../support/settings.ts";

describe("the lanes of `make test`", function () {
  this.timeout(60_000);

  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lanes-"));
    for (const path of ["node_modules", "package.json", ".mocharc.json", "test/run.ts", "test/support"]) {
      mkdirSync(join(folder, dirname(path)), { recursive: true });
      symlinkSync(resolve(path), join(folder, path));
    }
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Runs the given tests in place of the project's, by path. */
  function lanes(tests: Record<string, string>, only: string[] = [], options: RunOptions = {}): Promise<Result> {
    for (const [path, code] of Object.entries(tests)) {
      mkdirSync(join(folder, "test", dirname(path)), { recursive: true });
      writeFileSync(join(folder, "test", path), code);
    }
    return run(process.execPath, ["test/run.ts", ...only], { cwd: folder, ...options });
  }

  function lastLine({ output }: Result): string | undefined {
    return output.trimEnd().split("\n").at(-1);
  }

  const three = {
    "settings/a.test.ts":
      'describe("settings", () => { it("are read", () => undefined); it.skip("wait", () => undefined); });',
    "engine/b.test.ts": 'it("has an engine (dev1)", () => undefined);',
    "cloud/c.test.ts": 'it("has a machine", () => undefined);',
  };

  it("run each file in one of them, and end with one count of all tests", async () => {
    const result = await lanes(three);
    assert.equal(lastLine(result), "3 passed, 0 failed, 1 skipped");
    assert.equal(result.code, 0);
    for (const line of ["engine │     ✔ are read", "engine │   ✔ has an engine (dev1)", "cloud  │   ✔ has a machine"])
      assert.ok(result.output.includes(line), result.output);
    assert.match(result.output, /^ +\d+ s {2}engine {2}2 passed, 0 failed, 1 skipped$/m);
    assert.match(result.output, /^ +\d+ s {2}cloud {3}1 passed, 0 failed$/m);
    assert.match(result.output, /^ +\d+ s {2}engine {2}settings are read$/m);
  });

  for (const [only, passed] of [
    ["an engine (dev1)", 1],
    ["test/*/[ac.test.ts", 0],
    ["test/*/c.test.ts", 1],
  ] as const) {
    it(`run only what ONLY=${only} names`, async () => {
      const result = await lanes(three, [only]);
      assert.equal(lastLine(result), `${String(passed)} passed, 0 failed`);
      assert.equal(result.code, passed === 0 ? 1 : 0);
      assert.equal(result.output.includes("No test ran"), passed === 0);
    });
  }

  it("fail if a test fails, and name it", async () => {
    const result = await lanes({ ...three, "cloud/d.test.ts": 'it("breaks", () => { throw new Error("here"); });' });
    assert.equal(lastLine(result), "3 passed, 1 failed, 1 skipped");
    assert.equal(result.code, 1);
    assert.match(result.output, /^ {2}cloud: breaks\n {6}Error: here$/m);
    assert.match(result.output, /^cloud {2}│ .*Error: here$/m);
  });

  it("fail if a lane ends without its report or breaks after it, and say so", async () => {
    const result = await lanes({
      ...three,
      "engine/d.test.ts": 'it("ends all", () => process.exit(0));',
      "cloud/d.test.ts": 'it("is late", () => void process.once("exit", () => process.exit(7)));',
    });
    assert.equal(lastLine(result), "2 passed, 2 failed");
    assert.equal(result.code, 1);
    assert.match(result.output, /^ {2}engine: the lane engine\n {6}ended before its report, by exit code 0$/m);
    assert.match(result.output, /^ {2}cloud: the lane cloud\n {6}ended by exit code 7 after its report$/m);
  });

  it("end together on Ctrl-C, and leave nothing of their tests behind", async () => {
    const support = resolve("test/support");
    const busy = `
      import { randomBytes } from "node:crypto";
      import { mkdtempSync } from "node:fs";
      import { Remains } from "${support}/remains.ts";
      import { docker } from "${support}/run.ts";
      it("goes on", async function () {
        this.timeout(60_000);
        const stack = "t" + randomBytes(4).toString("hex");
        new Remains(mkdtempSync("${tmpdir()}/private-registry-"), stack).sign();
        const name = "private-registry-" + stack;
        await docker("run", "--detach", "--name", name, "--entrypoint", "sleep", "${settings.images.registry}", "60");
        console.log("at work:", name);
        await new Promise((resolve) => setTimeout(resolve, 50_000));
      });`;
    const found = (output: string) => [...output.matchAll(/at work: (\S+)/g)].map(([, name = ""]) => name);
    let group = 0;
    let isStopped = false;
    const { code, output } = await lanes({ "engine/b.test.ts": busy, "cloud/c.test.ts": busy }, [], {
      onStart: (started) => (group = started),
      onOutput: (output) => {
        if (found(output).length < 2 || isStopped) return;
        isStopped = true;
        stop(group, "SIGINT");
      },
    });
    assert.equal(code, 130, output);
    assert.equal(found(output).length, 2, output);
    for (const name of found(output)) {
      assert.equal(await docker("ps", "--all", "--quiet", "--filter", `name=${name}`), "");
      assert.ok(
        !readdirSync(join(tmpdir(), "private-registry-tests")).some((note) => name.endsWith(note.split(".")[1] ?? "")),
      );
    }
  });
});
