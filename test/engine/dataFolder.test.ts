import assert from "node:assert/strict";
import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { RegistryClient } from "../../cli/client.ts";
import type { Outputs } from "../../components/outputs.ts";
import { Checkout } from "../support/checkout.ts";
import { docker, succeed } from "../support/run.ts";

const mebibyte = 2 ** 20;

/** On a small disk in memory, which a test can fill. Needs root. */
describe("a folder for the data", function () {
  this.timeout(5 * 60_000);

  const folder = mkdtempSync(join(tmpdir(), "data-"));
  const repositories = join(folder, "docker/registry/v2/repositories");
  let checkout: Checkout;
  let outputs: Outputs;

  before(async () => {
    await succeed("mount", ["-t", "tmpfs", "-o", "size=48m", "tmpfs", folder]);
    checkout = new Checkout();
    await checkout.configure({ dataPath: folder });
  });
  after(async () => {
    await checkout.dispose();
    await succeed("umount", [folder]);
    rmSync(folder, { recursive: true });
  });

  const connect = () => new RegistryClient(outputs.url, outputs.caCertificate, outputs.passwords);

  /** Pushes a blob over its own connection, which is closed after a refusal in the middle of a body. */
  async function push(mebibytes: number): Promise<number> {
    const client = connect();
    const blob = Buffer.alloc(mebibytes * mebibyte, mebibytes);
    return (await client.pushBlob("admin", "team/app", blob).finally(() => client.close())).status;
  }

  /** Those with content, the oldest first; one that could not even begin is empty, and is removed after its hour. */
  const uploads = () => {
    const path = join(repositories, "team/app/_uploads");
    const folders = readdirSync(path).sort();
    return folders.map((id) => join(path, id)).filter((upload) => readdirSync(upload).includes("data"));
  };

  it("is refused while it has other files, which stay unchanged", async () => {
    const files = ["notes", "docker/compose.yml", ".hidden"].map((file) => join(folder, file));
    for (const file of files) {
      mkdirSync(join(file, ".."), { recursive: true });
      writeFileSync(file, "mine", { mode: 0o644 });
      chownSync(file, 1234, 1234);
    }
    const { code, output } = await checkout.pulumi("up", "--yes", "--skip-preview");
    assert.notEqual(code, 0, output);
    assert.ok(output.includes(`the folder ${folder} can't be used for the data`), output);
    assert.match(output, /it holds other files: .*notes.*\s+Nothing in it was changed\. Name an empty folder/);
    for (const file of files) {
      const { uid, gid, mode } = statSync(file);
      assert.deepEqual([uid, gid, mode & 0o777, readFileSync(file, "utf8")], [1234, 1234, 0o644, "mine"], file);
    }
    assert.equal(statSync(folder).uid, 0);
    for (const file of readdirSync(folder)) rmSync(join(folder, file), { recursive: true });
  });

  it("is accepted if it has only what a file system puts there, and the data of a registry with what the keeper left", async () => {
    mkdirSync(join(folder, "lost+found"));
    mkdirSync(repositories, { recursive: true });
    mkdirSync(join(folder, "keeper/trash"), { recursive: true });
    // After a failed run, only `make up` tries again what it refused.
    await checkout.makes("up");
    outputs = await checkout.outputs();
    assert.equal(await push(4), 201);
    assert.equal(statSync(join(folder, "keeper/trash")).uid, 65532);
  });

  it("is freed by `make up` when it is full, and pushes work again without a restart of the registry", async () => {
    const registries = await checkout.containers("registry");
    const started = () => docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", ...registries);
    const before = await started();
    // One with an active client, and one that its client left an hour ago.
    const client = connect();
    for (let count = 0; count < 2; count++) {
      const begun = await client.ask("POST", "/v2/team/app/blobs/uploads/", { as: "admin" });
      const headers = { "Content-Type": "application/octet-stream" };
      const target = client.uploadTarget(begun);
      assert.equal((await client.ask("PATCH", target, { as: "admin", body: Buffer.alloc(1000), headers })).status, 202);
    }
    client.close();
    const [fresh = "", left = ""] = uploads();
    const hourAgo = new Date(Date.now() - 61 * 60_000);
    for (const path of [left, ...readdirSync(left, { recursive: true }).map((name) => join(left, String(name)))])
      utimesSync(path, hourAgo, hourAgo);

    assert.equal(await push(60), 500);
    assert.equal(await push(5), 500);
    assert.ok(statfsSync(folder).bavail * statfsSync(folder).bsize < mebibyte, "the disk is not full");

    assert.match((await checkout.make("smoke")).output, /✗ push +the disk is full: see docs\/runbook\.md/);

    const output = await checkout.makes("up");
    assert.match(output, /Removing an upload to team\/app that failed or was given up/);
    assert.deepEqual(uploads(), [fresh]);
    assert.equal(await push(5), 201);
    assert.equal(await started(), before);
  });
});
