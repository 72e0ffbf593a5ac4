import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { type Answer, digestOf, emptyConfig, manifestOf, RegistryClient } from "../../cli/client.ts";
import type { Outputs } from "../../components/outputs.ts";
import { Checkout, freePort } from "../support/checkout.ts";
import { Load } from "../support/load.ts";
import { addressOf, docker, run } from "../support/run.ts";

const types = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
} as const;

/** The Accept headers of clients, and some that could be read in two ways. */
const accepts = [
  ...["", "*/*", "application/json", Object.values(types).join(", "), Object.values(types).join(",")],
  ...Object.values(types).flatMap((type) => [type, `*/*, ${type}`, `${type}\t , text/plain`, type.toUpperCase()]),
  ...Object.values(types).map((type) =>
    Object.values(types)
      .filter((other) => other !== type)
      .join(", "),
  ),
  ...[
    `${types.manifest};q=0.5`,
    `${types.manifest};q`,
    `${types.index}; a="b, ${types.manifest}"`,
    `x;y,${types.index}`,
  ],
  ...[`${types.manifest}x`, `x${types.manifest}`, `${types.manifest} x`, types.manifest.replace(".v1", "+v1"), ",,"],
  // To the registry this letter is an i, and this space a space.
  ...[types.manifest.replace("i", "\u0130"), `\u00a0${types.manifest}`].map((text) =>
    Buffer.from(text).toString("latin1"),
  ),
] as const;

/** What nginx says if it has no room for another key. */
const noRoom = 'could not allocate node in cache keys zone "manifests"';

describe("manifests", function () {
  this.timeout(5 * 60_000);

  let checkout: Checkout;
  let outputs: Outputs;
  let client: RegistryClient;
  let anonymous: RegistryClient;
  /** The registry itself, `host:port`. */
  let bare: string;

  const layer = Buffer.from("layer");
  const root = "/data/docker/registry/v2";
  const users = [{ name: "admin", role: "admin" }, { name: "reader", role: "reader" }, { name: "other" }];

  before(async () => {
    checkout = new Checkout();
    const port = await freePort();
    const rules = [{ prefix: "closed", pull: ["reader"], push: [] }];
    await checkout.configure({ users, rules, deletion: true, anonymous: { port, prefixes: ["public"] } });
    await checkout.makes("up");
    outputs = await checkout.outputs();
    client = new RegistryClient(outputs.url, outputs.caCertificate, outputs.passwords);
    anonymous = new RegistryClient(`https://${outputs.anonymousEndpoint}`, outputs.caCertificate, outputs.passwords);
    bare = `${await addressOf(await checkout.registry(), checkout.name)}:5000`;
  });

  after(async () => {
    client.close();
    anonymous.close();
    await checkout.dispose();
  });

  /** Another manifest for each test, so that none gets a manifest that the proxy kept for another test. */
  function named(name: string, more: object = {}): Buffer {
    const manifest = JSON.parse(manifestOf(layer).toString()) as object;
    return Buffer.from(JSON.stringify({ ...manifest, annotations: { name }, ...more }));
  }

  async function push(repository: string, tag: string, manifest: Buffer, type: string = types.manifest) {
    for (const blob of [layer, emptyConfig]) {
      assert.equal((await client.pushBlob("admin", repository, blob)).status, 201);
    }
    const target = `/v2/${repository}/manifests/${tag}`;
    const pushed = await client.ask("PUT", target, { as: "admin", body: manifest, headers: { "Content-Type": type } });
    assert.equal(pushed.status, 201, pushed.body.toString());
    return `/v2/${repository}/manifests/${digestOf(manifest)}`;
  }

  function pull(target: string, as?: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
    return client.ask(method, target, { as, headers });
  }

  async function pulls(target: string, as?: string): Promise<number> {
    return (await pull(target, as)).status;
  }

  /** Asks often enough for the proxy to keep what it may keep. */
  async function keep(...targets: readonly string[]): Promise<void> {
    for (const target of targets) {
      for (let times = 0; times < 3; times++) assert.equal(await pulls(target, "admin"), 200, target);
    }
  }

  /** Runs something while the registry's containers are frozen: answers meanwhile don't come from them. */
  async function withoutRegistry<Result>(action: () => Promise<Result>): Promise<Result> {
    const registries = await checkout.containers("registry");
    await docker("pause", ...registries);
    try {
      return await action();
    } finally {
      await docker("unpause", ...registries);
    }
  }

  async function inRegistry(script: string): Promise<string> {
    return docker("exec", await checkout.registry(), "sh", "-euc", script);
  }

  /** Asks the registry itself, over plain HTTP. */
  function askBare(method: string, path: string, accept: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asked = request(`http://${bare}${path}`, { method, headers: { Accept: accept } }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            header: (name) => response.headersDistinct[name] ?? [],
            body: Buffer.concat(chunks),
            tls: "no TLS",
          }),
        );
      });
      asked.on("error", reject);
      asked.end();
    });
  }

  function told({ status, header, body }: Answer) {
    const names = [
      "content-type",
      "content-length",
      "docker-content-digest",
      "etag",
      "docker-distribution-api-version",
    ];
    return { status, headers: names.map((name) => [name, ...header(name)]), body: body.toString() };
  }

  it("are pulled by digest without asking the registry again", async () => {
    const manifest = named("kept");
    const target = await push("kept/app", "1", manifest);
    const first = told(await pull(target, "reader"));
    const large = named("large", { annotations: { large: "x".repeat(16_000) } });
    const tooLarge = await push("kept/app", "large", large);
    await keep(target, "/v2/kept/app/manifests/1", tooLarge);
    assert.ok((await pull(tooLarge, "reader")).body.equals(large));

    // A tag can move; nobody has pulled the others with these headers, or they are too large to be kept.
    const asked: readonly [target: string, status: number, headers?: Record<string, string>][] = [
      ["/v2/kept/app/manifests/1", 200],
      [tooLarge, 200],
      [`/v2/kept/app/manifests/${digestOf(layer)}`, 404],
      [`/v2/kept/app/manifests/sha512:${"0".repeat(128)}`, 404],
      [target, 404, { Accept: types.index }],
      [target, 200, { Accept: `${types.manifest};q=1` }],
      [target, 200, { "If-None-Match": '"x"' }],
      [target, 200, { Range: "bytes=0-1" }],
    ];
    const waiting = await withoutRegistry(async () => {
      for (let times = 0; times < 3; times++) assert.deepEqual(told(await pull(target, "reader")), first);
      assert.deepEqual(told(await pull(target, "admin", {}, "HEAD")), { ...first, body: "" });
      assert.deepEqual(told(await pull(`${target}?ns=a`, "admin")), first);
      const answers = asked.map(([other, , headers]) => pull(other, "reader", headers));
      const early = await Promise.all(answers.map((answer) => Promise.race([answer, sleep(2000, "waits")])));
      return early.map((answer, i) => (answer === "waits" ? answers[i] : answer));
    });
    for (const [i, [other, status, headers]] of asked.entries()) {
      const shown = `${other} ${JSON.stringify(headers)}`;
      assert.ok(waiting[i] instanceof Promise, shown);
      assert.equal((await waiting[i]).status, status, shown);
    }
  });

  it("are served from the cache only to users who may pull them", async () => {
    const manifest = named("closed");
    const target = await push("closed/app", "1", manifest);
    const open = await push("public/app", "1", manifest);
    await keep(target, open, "/v2/closed/app/manifests/1");
    for (const kept of [target, "/v2/closed/app/manifests/1"]) {
      assert.equal(await pulls(kept, "reader"), 200);
      assert.equal(await pulls(kept), 401);
      assert.equal(await pulls(kept, "other"), 403);
      assert.equal((await anonymous.ask("GET", kept)).status, 403);
    }
    assert.equal((await anonymous.ask("GET", open)).status, 200);
    assert.equal(await pulls(open), 401);
  });

  it("belong to the repositories that they were pushed to, even if others have the same bytes", async () => {
    const manifest = named("shared");
    const digest = digestOf(manifest);
    await keep(await push("shared/one", "1", manifest), await push("shared/two", "1", named("two")));
    for (const repository of ["shared/two", "shared/none", "shared"]) {
      assert.equal(await pulls(`/v2/${repository}/manifests/${digest}`, "admin"), 404, repository);
    }
  });

  it("are gone at the next request when they are deleted, and back when they are pushed again", async () => {
    const manifest = named("deleted");
    for (let times = 0; times < 3; times++) {
      const target = await push("deleted/app", "1", manifest);
      const tag = "/v2/deleted/app/manifests/1";
      await keep(target, tag);
      assert.equal((await client.ask("DELETE", target, { as: "admin" })).status, 202);
      for (const gone of [target, tag, target]) assert.equal(await pulls(gone, "admin"), 404);
      assert.equal((await pull(target, "admin", {}, "HEAD")).status, 404);

      await push("deleted/app", "1", manifest);
      await keep(target, tag);
      assert.equal((await client.ask("DELETE", tag, { as: "admin" })).status, 202);
      assert.deepEqual([await pulls(tag, "admin"), await pulls(target, "admin")], [404, 200]);
    }
  });

  it("are gone at the next request when their link or their data is gone from the disk", async () => {
    const manifest = named("lost");
    const target = await push("lost/app", "1", manifest);
    const tag = "/v2/lost/app/manifests/1";
    const hex = digestOf(manifest).slice("sha256:".length);
    const revision = `${root}/repositories/lost/app/_manifests/revisions/sha256/${hex}`;
    const data = `${root}/blobs/sha256/${hex.slice(0, 2)}/${hex}`;
    for (const path of [`${revision}/link`, revision, `${data}/data`, data]) {
      await keep(target, tag);
      await inRegistry(`mv ${path} ${path}.aside`);
      try {
        for (const gone of [target, tag, target]) {
          for (const method of ["GET", "HEAD"]) {
            assert.equal((await pull(gone, "admin", {}, method)).status, 404, `${method} ${gone} without ${path}`);
          }
        }
      } finally {
        await inRegistry(`mv ${path}.aside ${path}`);
      }
      assert.ok((await pull(target, "admin")).body.equals(manifest));
    }
  });

  it("follow a moved tag at once", async () => {
    const manifests = [named("tagged one"), named("tagged two")];
    for (const manifest of manifests) await keep(await push("tagged/app", "1", manifest));
    for (let times = 0; times < 20; times++) {
      const manifest = manifests[times % 2] ?? layer;
      assert.equal((await client.pushManifest("admin", "tagged/app", "1", manifest)).status, 201);
      for (let asked = 0; asked < 3; asked++) {
        const { header, body } = await pull("/v2/tagged/app/manifests/1", "reader");
        assert.ok(body.equals(manifest));
        assert.deepEqual(header("docker-content-digest"), [digestOf(manifest)]);
      }
    }
  });

  it("come as the registry itself would send them, for every Accept header", async () => {
    const repository = "typed/app";
    const asDocker = { mediaType: types.dockerManifest };
    const platform = { architecture: "amd64", os: "linux" };
    const child = (manifest: Buffer, mediaType: string) => ({
      ...{ mediaType, digest: digestOf(manifest), size: manifest.length, platform },
    });
    const oci = named("oci");
    const dockers = Buffer.from(
      JSON.stringify({
        ...{ schemaVersion: 2, ...asDocker },
        config: { mediaType: "application/vnd.docker.container.image.v1+json", digest: digestOf(emptyConfig), size: 2 },
        layers: [],
      }),
    );
    const list = (mediaType: string | undefined, ...manifests: object[]) =>
      Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
    const pushed: readonly [tag: string, manifest: Buffer, type: string][] = [
      ["oci", oci, types.manifest],
      ["untyped", named("untyped", { mediaType: undefined }), types.manifest],
      ["docker", dockers, types.dockerManifest],
      ["index", list(types.index, child(oci, types.manifest)), types.index],
      ["untyped-index", list(undefined, child(oci, types.manifest)), types.index],
      ["list", list(types.dockerList, child(dockers, types.dockerManifest)), types.dockerList],
      ["list-of-oci", list(types.dockerList, child(oci, types.manifest)), types.dockerList],
      ["list-of-none", list(types.dockerList), types.dockerList],
    ];
    for (const [tag, manifest, type] of pushed) await push(repository, tag, manifest, type);
    // The last is answered before the first is asked for again.
    for (let times = 0; times < 3; times++) {
      for (const accept of accepts) {
        for (const [tag, manifest] of pushed) {
          for (const reference of [tag, digestOf(manifest)]) {
            for (const method of times === 1 ? ["HEAD"] : ["GET", "HEAD"]) {
              const target = `/v2/${repository}/manifests/${reference}`;
              const [proxied, direct] = await Promise.all([
                pull(target, "reader", { Accept: accept }, method),
                askBare(method, target, accept),
              ]);
              assert.deepEqual(told(proxied), told(direct), `${method} ${tag} ${reference} Accept: ${accept}`);
            }
          }
        }
      }
    }
  });

  it("are pulled although the proxy has no room to keep another", async () => {
    const template = join(checkout.folder, "components/proxy/nginx/manifests.ts");
    const usual = checkout.read("components/proxy/nginx/manifests.ts");
    const small = usual.replace("keys_zone=manifests:256k", "keys_zone=manifests:32k");
    assert.notEqual(small, usual);
    writeFileSync(template, small);
    await checkout.bringUp();
    const load = new Load(outputs, { pullers: 20, pushers: 10 });
    const log = async () => (await run("docker", ["logs", `${checkout.name}-proxy`])).output;
    // It takes two workers at one moment.
    for (let tries = 0; tries < 60 && !(await log()).includes(noRoom); tries++) await sleep(2000);
    await sleep(5000);
    const { failed, corrupt, requests } = await load.stop();
    assert.ok((await log()).includes(noRoom));
    assert.deepEqual({ failed, corrupt }, { failed: [], corrupt: [] });
    assert.ok(requests > 1000, `only ${String(requests)} requests`);
    writeFileSync(template, usual);
  });

  it("stay cached through a reload, whose changes apply at once", async () => {
    const target = await push("later/app", "1", named("later"));
    await keep(target);
    assert.equal(await pulls(target, "other"), 200);
    checkout.set({ rules: [{ prefix: "later", pull: ["reader"], push: [] }] });
    await checkout.makes("up");
    assert.deepEqual([await pulls(target, "reader"), await pulls(target, "other")], [200, 403]);
    await withoutRegistry(async () => {
      assert.deepEqual([await pulls(target, "reader"), await pulls(target, "other")], [200, 403]);
    });
  });
});
