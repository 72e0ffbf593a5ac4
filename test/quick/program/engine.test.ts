import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { engineOf } from "../../../cli/engine.ts";
import type { Stack } from "../../../cli/stack.ts";
import { hosts } from "../../support/settings.ts";

describe("the file from which `ssh` reads how to reach a stack's machine", () => {
  const project = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), "engine-"));
  const file = join(folder, ".state/ssh/test.config");
  beforeEach(() => process.chdir(folder));
  afterEach(() => process.chdir(project));
  after(() => rmSync(folder, { recursive: true }));

  const reach = (port: number) => {
    const host = { ...hosts.ssh, engine: { ...hosts.ssh.engine, sshOptions: ["-o", `Port=${String(port)}`] } };
    return engineOf({ name: "test", host: () => Promise.resolve(host) } as unknown as Stack);
  };

  it("is replaced as a whole, and left alone if nothing changes", async () => {
    const { variables } = await reach(22);
    assert.equal(variables["PRIVATE_REGISTRY_SSH_CONFIG"], file);
    assert.equal(readFileSync(file, "utf8"), "Port 22\n");
    const first = statSync(file, { bigint: true });
    await reach(22);
    const { ino, mtimeNs } = statSync(file, { bigint: true });
    assert.deepEqual([ino, mtimeNs], [first.ino, first.mtimeNs]);
    await reach(23);
    assert.equal(readFileSync(file, "utf8"), "Port 23\n");
    // A reader of the former file has all of it.
    assert.notEqual(statSync(file, { bigint: true }).ino, first.ino);
    assert.deepEqual(readdirSync(join(folder, ".state/ssh")), ["test.config"]);
  });
});
