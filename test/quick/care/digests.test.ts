import assert from "node:assert/strict";
import { createHash } from "node:crypto";

import { Digests, findDigests } from "../../../components/care/keeper/digests.ts";

const hexOf = (text: string) => createHash("sha256").update(text).digest("hex");

function found(manifest: string): string[] {
  const all: string[] = [];
  findDigests(manifest, (text, at) => all.push(text.slice(at, at + 64)));
  return [...new Set(all)];
}

describe("a set of digests", () => {
  it("numbers each in the order in which it came, and knows no other", () => {
    const digests = new Digests();
    const all = Array.from({ length: 10_000 }, (_, i) => hexOf(String(i)));
    for (const [i, hex] of all.entries()) assert.equal(digests.add(hex), i);
    for (const [i, hex] of all.entries()) {
      assert.equal(digests.add(`sha256:${hex}"`, 7), i);
      assert.equal(digests.indexOf(hex), i);
      assert.equal(digests.hexOf(i), hex);
      assert.equal(digests.indexOf(hexOf(`other ${String(i)}`)), -1);
    }
    assert.equal(digests.size, all.length);
  });

  it("keeps digests apart that begin alike", () => {
    const digests = new Digests();
    const all = Array.from({ length: 50 }, (_, i) => "0".repeat(62) + String(i).padStart(2, "0"));
    assert.deepEqual(
      all.map((hex) => digests.add(hex)),
      all.map((_, i) => i),
    );
    assert.deepEqual(
      all.map((_, i) => digests.hexOf(i)),
      all,
    );
  });

  it("takes nothing else", () => {
    const digests = new Digests();
    const hex = hexOf("a");
    for (const text of ["", hex.slice(1), hex.toUpperCase(), `${hex.slice(0, 63)}g`, `é${hex.slice(1)}`]) {
      assert.equal(digests.add(text), -1, text);
      assert.equal(digests.indexOf(text), -1, text);
    }
    assert.equal(digests.size, 0);
  });
});

describe("the digests in a manifest", () => {
  const [a, b, c] = ["a", "b", "c"].map(hexOf) as [string, string, string];

  it("are found in every field", () => {
    const manifest = {
      config: { digest: `sha256:${a}` },
      layers: [{ digest: `sha256:${b}`, annotations: { "org.example.base.digest": `sha256:${c}` } }],
    };
    for (const text of [JSON.stringify(manifest), JSON.stringify(manifest, undefined, 3)]) {
      assert.deepEqual(found(text), [a, b, c]);
    }
  });

  it("are found in what is no JSON", () => assert.deepEqual(found(`x sha256:${a}sha256:${b}`), [a, b]));

  it("are found however they are spelled", () => {
    for (const digest of [`sha256\\u003a${a}`, `sha256:\\u00${a.charCodeAt(0).toString(16)}${a.slice(1)}`]) {
      assert.deepEqual(found(`{"config":{"digest":"${digest}"}}`).includes(a), true, digest);
    }
  });
});
