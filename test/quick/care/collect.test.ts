import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";

import { collect, collectNow, type Event, type Order } from "../../../components/care/keeper/collect.ts";
import { layersOf, repositoriesFolder } from "../../../components/care/keeper/layout.ts";
import { hexOf, old, Storage } from "../../support/storage.ts";

const times = { grace: 3600, settle: 0, undo: 3600 };

describe("a collection", () => {
  let storage: Storage;
  beforeEach(() => (storage = new Storage()));
  afterEach(() => storage.dispose());

  const run = (more: Partial<Order> = {}) => collect({ root: storage.root, ...times, ...more });

  /** Collects, lets the grace pass, and collects again. */
  async function runTwice(): Promise<void> {
    await run();
    storage.pass(times.grace + 10);
    await run();
  }

  it("takes what no manifest names: condemned first, gone a grace later", async () => {
    const kept = storage.image("app", ["kept"], { tag: "1" });
    const layer = storage.layer("app", "unneeded");
    const first = await run();
    assert.deepEqual([first.blobs.condemned, first.blobs.gone], [1, 0]);
    assert.ok(storage.isCondemned(layer) && storage.isLinkCondemned("app", layer));
    assert.ok(storage.hasBlob(layer) && storage.hasLink("app", layer));

    storage.pass(times.grace - 60);
    assert.equal((await run()).blobs.gone, 0);
    storage.pass(120);
    const last = await run();
    assert.deepEqual([last.blobs.gone, last.links.gone, last.bytes], [1, 1, "unneeded".length]);
    assert.ok(!storage.hasBlob(layer) && !storage.hasLink("app", layer) && !storage.isCondemned(layer));
    assert.ok(storage.hasBlob(kept));
  });

  /** Each world: what is in it, and the blobs and links that must stay. */
  const stays: Record<string, (storage: Storage) => { blobs: string[]; links?: [string, string][] }> = {
    "an image with a tag": () => {
      const image = storage.image("app", ["one", "two"], { tag: "1" });
      const layers = ["one", "two"].map((layer) => storage.blob(layer));
      return { blobs: [image, ...layers], links: layers.map((hex) => ["app", hex]) };
    },
    "an image without a tag: many deploy by digest": () => ({ blobs: [storage.image("app", ["one"])] }),
    "the children of an index, and their layers": () => {
      const child = storage.image("app", ["one"]);
      const index = storage.manifest("app", { manifests: [{ digest: `sha256:${child}` }] }, { tag: "1" });
      return { blobs: [child, index, storage.blob("one")] };
    },
    "what a manifest only mentions": () => {
      const mentioned = ["subject", "base", "other"].map((text) => storage.layer("app", text)) as [
        string,
        string,
        string,
      ];
      const [subject, base, other] = mentioned.map((hex) => `sha256:${hex}`);
      storage.manifest("app", { subject: { digest: subject }, annotations: { "base.digest": base }, x: [[other]] });
      return { blobs: mentioned };
    },
    "what a manifest of schema 1 names, and its signatures": () => {
      const layer = storage.layer("app", "layer");
      const manifest = storage.manifest(
        "app",
        `{ "schemaVersion": 1, "fsLayers": [{ "blobSum": "sha256:${layer}" }] }`,
      );
      const signature = storage.blob("signature");
      const folder = `${repositoriesFolder}/app/_manifests/revisions/sha256/${manifest}`;
      storage.write(`${folder}/signatures/sha256/${signature}/link`, `sha256:${signature}`);
      return { blobs: [layer, manifest, signature] };
    },
    "a layer that was pushed by a digest of another kind": () => {
      const layer = storage.layer("app", "layer");
      const other = "0".repeat(128);
      storage.write(`${repositoriesFolder}/app/_layers/sha512/${other}/link`, `sha256:${layer}`);
      storage.manifest("app", { layers: [{ digest: `sha512:${other}` }] });
      return { blobs: [layer], links: [["app", layer]] };
    },
    "an image of a repository inside another one": () => ({
      blobs: [storage.image("a/b/c", ["one"]), storage.image("a", ["two"])],
    }),
    "an image in a repository that a symbolic link leads to": () => {
      const image = storage.image("app", ["one"], { tag: "1" });
      const repositories = storage.path(repositoriesFolder);
      renameSync(`${repositories}/app`, storage.path("elsewhere"));
      symlinkSync(storage.path("elsewhere"), `${repositories}/app`);
      return { blobs: [image, storage.blob("one")], links: [["app", storage.blob("one")]] };
    },
    "a layer that has just been pushed": () => {
      const layer = storage.layer("app", "layer", 0);
      return { blobs: [layer], links: [["app", layer]] };
    },
    "an old layer that has just been mounted": () => {
      const layer = storage.layer("app", "layer");
      storage.link("other", layer, 0);
      return { blobs: [layer], links: [["other", layer]] };
    },
    "data that is about to be linked": () => ({ blobs: [storage.blob("data", 0)] }),
  };
  for (const [what, make] of Object.entries(stays)) {
    it(`leaves ${what}`, async () => {
      const { blobs, links = [] } = make(storage);
      const unneeded = storage.layer("app", "unneeded");
      await run();
      storage.pass(times.grace - 60);
      await run();
      if (!/just|about/.test(what)) {
        storage.pass(old);
        await run();
        assert.ok(!storage.hasBlob(unneeded));
      }
      for (const hex of blobs) assert.ok(storage.hasBlob(hex) && !storage.isCondemned(hex), hex);
      for (const [repository, hex] of links)
        assert.ok(storage.hasLink(repository, hex) && !storage.isLinkCondemned(repository, hex));
    });
  }

  it("takes a repository's link to a layer that only another one needs", async () => {
    storage.image("needs", ["layer"], { tag: "1" });
    const layer = storage.layer("had", "layer");
    await run();
    assert.ok(storage.isLinkCondemned("had", layer) && !storage.isLinkCondemned("needs", layer));
    assert.ok(!storage.isCondemned(layer));
    storage.pass(times.grace + 10);
    await run();
    assert.ok(!storage.hasLink("had", layer) && storage.hasLink("needs", layer) && storage.hasBlob(layer));
  });

  it("takes a deleted manifest and its layers", async () => {
    const image = storage.image("app", ["one", "shared"], { tag: "1" });
    storage.image("app", ["two", "shared"], { tag: "2" });
    storage.deleteManifest("app", image);
    await runTwice();
    for (const [content, stays] of [
      ["one", false],
      ["two", true],
      ["shared", true],
    ] as const) {
      assert.equal(storage.hasBlob(hexOf(content)), stays, content);
    }
    assert.ok(!storage.hasBlob(image));
  });

  it("spares what is pushed again while it is condemned", async () => {
    const layer = storage.layer("app", "layer");
    await run();
    storage.pass(times.grace + 10);
    storage.link("app", layer, 0);
    await run();
    assert.ok(storage.hasBlob(layer) && !storage.isCondemned(layer) && !storage.isLinkCondemned("app", layer));
  });

  it("spares what a push names that began before it was condemned", async () => {
    const layer = storage.layer("app", "layer");
    await run();
    const image = storage.manifest("app", { layers: [{ digest: `sha256:${layer}` }] }, { age: 0 });
    storage.pass(times.grace + 10);
    await run();
    assert.ok(storage.hasBlob(layer) && storage.hasBlob(image) && !storage.isLinkCondemned("app", layer));
  });

  it("waits a grace more for a link that was written again while nobody collected", async () => {
    const layer = storage.layer("app", "layer");
    await run();
    storage.link("app", layer, 0);
    storage.pass(2 * times.grace);
    assert.equal((await run()).blobs.gone, 0);
    assert.ok(storage.isLinkCondemned("app", layer));
    storage.pass(times.grace + 10);
    assert.equal((await run()).blobs.gone, 1);
  });

  it("that somebody waits for condemns, waits for a short grace, and sweeps", async () => {
    const image = storage.image("app", ["kept"], { tag: "1", age: 100 });
    const layer = storage.layer("app", "unneeded", 100);
    const steps: string[] = [];
    const tell = (event: Event) => steps.push("step" in event ? `${event.step} ${String(event.done)}` : event.deed);
    const [, { blobs }] = await collectNow({ root: storage.root, settle: 0, undo: 3600 }, tell, 2);
    assert.deepEqual([blobs.gone, storage.hasBlob(layer), storage.hasBlob(image)], [1, false, true]);
    for (const step of ["blobs 3", "condemn", "waiting 0", "waiting 1", "sweep 1", "take"])
      assert.ok(steps.includes(step), step);
  }).timeout(10_000);

  it("that somebody waits for leaves alone where somebody may be pushing, however old the layers are", async () => {
    storage.image("quiet", ["kept"], { tag: "1" });
    const layers = {
      uploading: storage.layer("uploading", "sent", 3000),
      ended: storage.layer("ended", "sent, too", 3000),
      quiet: storage.layer("quiet", "left", 3000),
    };
    storage.upload("uploading", "1", "more", 60);
    storage.upload("ended", "1", "more", 60);
    rmSync(storage.path(`${repositoriesFolder}/ended/_uploads/1`), { recursive: true });
    storage.age(`${repositoriesFolder}/ended/_uploads`, 60);
    await collectNow({ root: storage.root, settle: 0, undo: 3600 }, undefined, 1);
    for (const [name, hex] of Object.entries(layers))
      assert.deepEqual([storage.hasBlob(hex), storage.isCondemned(hex)], [name !== "quiet", false], name);
  }).timeout(10_000);

  it("tells what would go and why, and changes nothing, in a dry run", async () => {
    storage.image("app", ["kept"], { tag: "1" });
    const layer = storage.layer("app", "unneeded");
    const events: Event[] = [];
    const dry = () => collect({ root: storage.root, ...times, isDry: true }, (event) => events.push(event));
    assert.equal((await dry()).blobs.condemned, 1);
    assert.ok(!storage.isCondemned(layer) && !storage.isLinkCondemned("app", layer));
    assert.deepEqual(
      events.flatMap((event) => ("deed" in event ? [event] : [])),
      [
        { deed: "condemn", blob: layer, repository: "app", why: "no manifest of this repository names it" },
        { deed: "condemn", blob: layer, why: "no manifest names it" },
      ],
    );
    await run();
    storage.pass(times.grace + 10);
    events.length = 0;
    assert.equal((await dry()).bytes, "unneeded".length);
    assert.ok(storage.hasBlob(layer));
    assert.ok(events.some((event) => "deed" in event && event.deed === "take" && event.blob === layer));
  });

  it("gives the bytes of each repository, each blob counted once", async () => {
    const one = storage.image("one", ["aaaa", "bb"], { tag: "1" });
    const again = storage.image("one", ["aaaa"], { tag: "2" });
    const other = storage.image("other/name", ["aaaa"], { tag: "1" });
    storage.layer("one", "not named");
    const size = (hex: string) => storage.read(`docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`).length;
    const { repositories } = await run();
    const byName = [...repositories].sort((a, b) => a.name.localeCompare(b.name));
    assert.deepEqual(byName, [
      { name: "one", bytes: 6 + size(one) + size(again), manifests: 2 },
      { name: "other/name", bytes: 4 + size(other), manifests: 1 },
    ]);
  });

  it("removes an empty repository, and the folders above it, when nothing in them is younger than the grace", async () => {
    const image = storage.image("team/app", ["one"], { tag: "1" });
    storage.image("team/other", ["two"], { tag: "1" });
    storage.deleteManifest("team/app", image);
    await runTwice();
    assert.ok(storage.has(`${repositoriesFolder}/team/app`));
    for (let times = 0; times < 3; times++) {
      storage.pass(8000);
      await run();
    }
    assert.ok(!storage.has(`${repositoriesFolder}/team/app`));
    assert.ok(storage.has(`${repositoriesFolder}/team/other`));
    assert.equal(storage.folders().length, 2);
  });

  it("leaves a repository whose first push is under way", async () => {
    const upload = `${repositoriesFolder}/app/_uploads/1/startedat`;
    storage.write(upload, "now");
    await runTwice();
    assert.ok(storage.has(upload));
  });

  it("removes what the registry left when it was killed, once it is old", async () => {
    storage.image("app", ["kept"]);
    const layer = storage.layer("app", "unneeded");
    const rest = `${layersOf("app")}/${layer}/link.01234567-89ab-cdef-0123-456789abcdef.tmp`;
    storage.write(rest, "");
    await runTwice();
    assert.ok(storage.has(rest));
    storage.pass(8000);
    await run();
    assert.ok(!storage.has(rest) && !storage.has(`${layersOf("app")}/${layer}`));
  });

  it("refuses a folder with blobs and no repositories: something else is wrong", async () => {
    storage.blob("data");
    rmSync(storage.path(repositoriesFolder), { recursive: true });
    await assert.rejects(run(), /there are blobs, but no folder/);
  });

  it("ends without a change if a manifest can't be read: it may name anything", async () => {
    storage.image("app", ["kept"]);
    const unneeded = storage.layer("app", "unneeded");
    const manifest = storage.manifest("app", "{}");
    const data = `${storage.blobFolder(manifest)}/data`;
    rmSync(data);
    mkdirSync(data);
    await assert.rejects(run(), /EISDIR/);
    assert.ok(!storage.isCondemned(unneeded));
  });

  it("goes on if the data of a manifest is lost, and counts what is missing", async () => {
    storage.image("app", ["kept"]);
    const manifest = storage.manifest("app", "{}");
    rmSync(`${storage.blobFolder(manifest)}/data`);
    assert.equal((await run()).missing, 1);
  });

  it("leaves other files alone", async () => {
    storage.image("app", ["kept"]);
    writeFileSync(storage.path("docker/registry/v2/blobs/sha256/note"), "");
    storage.write("docker/registry/v2/blobs/sha256/ab/not-a-digest/data", "");
    storage.write(`${repositoriesFolder}/app/_layers/sha256/not-a-digest/link`, "");
    await runTwice();
    storage.pass(8000);
    await run();
    assert.ok(storage.has("docker/registry/v2/blobs/sha256/ab/not-a-digest/data"));
    assert.ok(storage.has(`${repositoriesFolder}/app/_layers/sha256/not-a-digest/link`));
  });

  it("works on an empty data folder", async () => {
    const { blobs, links } = await run();
    assert.deepEqual([blobs.all, links.all], [0, 0]);
  });
});
