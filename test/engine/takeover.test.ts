import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";

import { digestOf, emptyConfig, manifestOf, RegistryClient } from "../../cli/client.ts";
import type { Outputs } from "../../components/outputs.ts";
import { Checkout, freePort } from "../support/checkout.ts";
import { docker } from "../support/run.ts";
import { settings } from "../support/settings.ts";

/** The state that commit 3be15ee left of a stack `old`, and the passphrase of its secrets, used nowhere else. */
const earlier = {
  stack: "old",
  state: "test/support/states/3be15ee.json.gz",
  passphrase: "QkH_fm3hvUR5H00CLZsrMu7v6IbMZ7SlGggpmtLA_Ew",
  users: [{ name: "admin", role: "admin" }, { name: "alice" }],
};

const repository = "team/app";
const layer = Buffer.from("pushed to the earlier version");
const manifest = manifestOf(layer);

/** Files of a registry's data that has this manifest, by path. */
function dataFiles(): Record<string, Buffer> {
  const hex = (bytes: Buffer) => digestOf(bytes).slice("sha256:".length);
  const blob = (bytes: Buffer) => [`blobs/sha256/${hex(bytes).slice(0, 2)}/${hex(bytes)}/data`, bytes] as const;
  const link = (kind: string, bytes: Buffer) =>
    [`repositories/${repository}/${kind}/sha256/${hex(bytes)}/link`, Buffer.from(digestOf(bytes))] as const;
  return Object.fromEntries([
    ...[layer, emptyConfig, manifest].map(blob),
    ...[layer, emptyConfig].map((bytes) => link("_layers", bytes)),
    link("_manifests/revisions", manifest),
  ]);
}

describe("a stack that an earlier version made", function () {
  this.timeout(5 * 60_000);

  let checkout: Checkout;
  /** What the earlier version printed about it. */
  let before: Outputs;

  beforeEach(async () => {
    checkout = new Checkout();
    const { name, stack, folder } = checkout;
    const state = gunzipSync(readFileSync(earlier.state))
      .toString()
      .replaceAll(`private-registry-${earlier.stack}`, name)
      .replaceAll(`urn:pulumi:${earlier.stack}::`, `urn:pulumi:${stack}::`)
      .replaceAll(`private-registry/${earlier.stack}"`, `private-registry/${stack}"`);
    write(join(folder, ".state/.pulumi/stacks/private-registry", `${stack}.json`), state);
    write(join(folder, ".state/passphrase"), earlier.passphrase);
    checkout.set({ port: await freePort(), users: earlier.users });
    before = await checkout.outputs();
    await fillVolume(`${name}-data`);
  });

  afterEach(() => checkout.dispose());

  function write(file: string, content: string | Buffer): void {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content, { mode: 0o600 });
  }

  /** Makes the data volume, with the owner that its files have had since then. */
  async function fillVolume(volume: string): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), "data-"));
    try {
      for (const [path, content] of Object.entries(dataFiles()))
        write(join(folder, "docker/registry/v2", path), content);
      await docker(
        ...["run", "--rm", "--user", "0", "--network", "none", "--entrypoint", "sh"],
        ...["--volume", `${volume}:/data`, "--volume", `${folder}:/from:ro`, settings.images.registry],
        ...["-euc", "cp -R /from/. /data && chmod -R u=rwX,g=rX,o= /data && chown -R 65532:65532 /data"],
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  it("is taken over by `make up`: its data, keys, certificate and passwords stay", async () => {
    const output = await checkout.makes("up");
    assert.doesNotMatch(output, /✗/);
    // Pulumi prints each resource that it creates, replaces or deletes.
    const touched = output.split("\n").filter((line) => /\b(created|replaced|deleted|updated)\b/.test(line));
    assert.ok(touched.some((line) => line.includes("-registry-container")));
    assert.deepEqual(
      touched.filter((line) => /\b(tls|random):|Volume \S+-data\b/.test(line)),
      [],
    );

    const { endpoint, url, anonymousEndpoint, ...after } = await checkout.outputs();
    const { caCertificate, caFingerprint, passwords, usernames } = before;
    assert.match(caFingerprint, /^59:22:63:A8:/);
    assert.deepEqual(Object.keys(passwords), ["admin", "alice"]);
    for (const [key, value] of Object.entries({ caCertificate, caFingerprint, passwords, usernames }))
      assert.deepEqual(after[key as keyof typeof after], value, key);
    assert.deepEqual([endpoint, anonymousEndpoint], [url.replace("https://", ""), ""]);

    const client = new RegistryClient(url, caCertificate, passwords);
    try {
      const path = `/v2/${repository}/manifests/${digestOf(manifest)}`;
      const answer = await client.ask("GET", path, { as: "alice" });
      assert.deepEqual([answer.status, answer.body.toString()], [200, manifest.toString()]);
      const blob = await client.ask("GET", `/v2/${repository}/blobs/${digestOf(layer)}`, { as: "alice" });
      assert.deepEqual([blob.status, blob.body.toString()], [200, layer.toString()]);
    } finally {
      client.close();
    }
    const again = await checkout.pulumi("preview", "--expect-no-changes");
    assert.equal(again.code, 0, again.output);
  });
});
