import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { hasTable } from "../../../cli/trust/clients.ts";
import {
  appended,
  type Entry,
  foldersToRemove,
  readRecord,
  withoutOurs,
  writeRecord,
} from "../../../cli/trust/record.ts";

describe("a file that `make trust` wrote", () => {
  const entry: Entry = { ours: ["first\n", "second\n"], before: "theirs\n", isShared: false, folders: [] };

  it("gets its earlier text, whichever text of ours a killed run has left in it", () => {
    for (const now of ["first\n", "second\n", "theirs\n"]) assert.equal(withoutOurs(entry, now), "theirs\n");
  });

  it("is removed if there was none", () => {
    assert.equal(withoutOurs({ ...entry, before: null }, "second\n"), null);
  });

  it("stays as it is if somebody has changed it", () => {
    for (const now of ["second\nmore\n", "", "first"]) assert.equal(withoutOurs(entry, now), undefined);
  });
});

describe("a file that `make trust` appended to", () => {
  const block = '[registry."a:1"]\n  ca = ["a"]\n';
  const other = '[registry."b:1"]\n  ca = ["b"]\n';
  const written = (before: string | null): Entry => ({
    ours: [appended(before ?? "", block)],
    before,
    isShared: true,
    folders: [],
  });

  it("has the block on lines of its own", () => {
    assert.equal(appended("debug = true", block), `\n${block}`);
    for (const now of ["", "debug = true\n"]) assert.equal(appended(now, block), block);
  });

  it("is byte by byte what it was", () => {
    for (const before of ["", "debug = true", "debug = true\n", "[worker]\n\n"])
      assert.equal(withoutOurs(written(before), before + appended(before, block)), before);
    assert.equal(withoutOurs(written(null), block), null);
  });

  it("keeps what others have written before and after", () => {
    assert.equal(withoutOurs(written("a = 1\n"), `# new\na = 1\n${block}[worker]\n`), "# new\na = 1\n[worker]\n");
    assert.equal(withoutOurs(written("a = 1"), `a = 1\n${block}[worker]\n`), "a = 1\n[worker]\n");
    assert.equal(withoutOurs(written(null), block + other), other);
  });

  it("loses the blocks of all endpoints that the stack has had", () => {
    assert.equal(withoutOurs({ ...written("a = 1\n"), ours: [block, other] }, `a = 1\n${block}${other}`), "a = 1\n");
  });

  it("is removed with the last block, if an earlier stack's was all that it had", () => {
    assert.equal(withoutOurs({ ...written(block), ours: [other] }, other), null);
  });

  it("stays as it is if somebody has changed the block, but not if somebody has removed it", () => {
    assert.equal(withoutOurs(written("a = 1\n"), `a = 1\n${block.replace("ca", "mirrors")}`), undefined);
    assert.equal(withoutOurs(written("a = 1\n"), "a = 2\n"), "a = 2\n");
  });
});

describe("the record of `make trust`", () => {
  const home = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), "trust-"));
  beforeEach(() => process.chdir(folder));
  afterEach(() => process.chdir(home));
  after(() => rmSync(folder, { recursive: true }));

  const entry: Entry = { ours: ["text"], before: null, isShared: false, folders: [] };

  it("is read as it was written, by its owner only, and goes with its last file", () => {
    const record = new Map([["/a/b", entry]]);
    writeRecord({ name: "dev1" }, record);
    assert.deepEqual(readRecord({ name: "dev1" }), record);
    assert.equal(statSync(".state/trust/dev1.json").mode & 0o777, 0o600);
    assert.deepEqual(readRecord({ name: "other" }), new Map());
    writeRecord({ name: "dev1" }, new Map());
    assert.ok(!existsSync(".state/trust/dev1.json"));
  });

  it("has the folders that are created for a file, also if another stack was first", () => {
    const [outer, inner] = [join(folder, "certs.d"), join(folder, "certs.d/a")];
    const file = join(inner, "ca.crt");
    assert.deepEqual(foldersToRemove(file), [inner, outer]);
    writeRecord({ name: "dev1" }, new Map([[file, { ...entry, folders: foldersToRemove(file) }]]));
    mkdirSync(inner, { recursive: true });
    assert.deepEqual(foldersToRemove(join(outer, "b/ca.crt")), [join(outer, "b"), outer]);
    writeRecord({ name: "dev1" }, new Map());
    assert.deepEqual(foldersToRemove(join(outer, "b/ca.crt")), [join(outer, "b")]);
  });
});

describe("a table of BuildKit's settings for a registry", () => {
  it("is found however it is written", () => {
    for (const toml of [
      '[registry."a.test:1"]\n',
      "debug = true\n  [ registry . 'a.test:1' ]\n",
      '[registry."a.test:1".keypair]\n',
      'registry."a.test:1".http = true\n',
      '[registry]\n"a.test:1" = { http = true }\n',
      '[registry]\n  "a.test:1".http = true\n',
    ])
      assert.ok(hasTable(toml, "a.test:1"), toml);
    assert.ok(hasTable("[registry.localhost]", "localhost"));
  });

  it("is not found in comments, values and the tables of other registries", () => {
    for (const toml of [
      '# [registry."a.test:1"]\n',
      '[registry."b.test:1"]\n  mirrors = ["a.test:1"]\n',
      '[registry."a.test:12"]\n',
      '[registry."aatest:1"]\n',
    ])
      assert.ok(!hasTable(toml, "a.test:1"), toml);
  });
});
