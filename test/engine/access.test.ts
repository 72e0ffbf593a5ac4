import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { digestOf, emptyConfig, manifestOf, RegistryClient } from "../../cli/client.ts";
import type { Outputs } from "../../components/outputs.ts";
import { Checkout, freePort } from "../support/checkout.ts";
import { docker, run, type Result, succeed } from "../support/run.ts";

/** The users. Names that differ only in case are two people. */
const users = [
  { name: "admin", role: "admin" },
  { name: "writer", role: "writer" },
  { name: "Writer", role: "reader" },
  { name: "reader", role: "reader" },
  { name: 'member "the\\ $1', role: "writer" },
] as const;
type User = (typeof users)[number]["name"];
const member = users[4].name;

const rules = [
  { prefix: "team", pull: [member, "reader"], push: [member] },
  { prefix: "team/open", push: ["writer"] },
  { prefix: "closed", pull: [], push: [] },
];

type Action = "pull" | "push" | "delete";

/** What must hold, written down by hand: who may do what in a repository of each kind. An admin may do everything. */
const may: Record<string, Record<Action, readonly User[]>> = {
  app: { pull: ["writer", "Writer", "reader", member], push: ["writer", member], delete: [] },
  "public/app": { pull: ["writer", "Writer", "reader", member], push: ["writer", member], delete: [] },
  team: { pull: ["reader", member], push: [member], delete: [] },
  "team/app": { pull: ["reader", member], push: [member], delete: [] },
  "team/open/app": { pull: ["writer", "Writer", "reader", member], push: ["writer"], delete: [] },
  teamwork: { pull: ["writer", "Writer", "reader", member], push: ["writer", member], delete: [] },
  "closed/app": { pull: [], push: [], delete: [] },
};
const repositories = Object.keys(may);

function mayDo(user: User, action: Action, repository: string): boolean {
  return user === "admin" || may[repository]?.[action].includes(user) === true;
}

describe("roles and rules", function () {
  this.timeout(10 * 60_000);

  let checkout: Checkout;
  let outputs: Outputs;
  let client: RegistryClient;
  let anonymous: RegistryClient;
  /** In every repository. */
  const layer = randomBytes(100_000);
  const blob = digestOf(layer);
  const manifest = manifestOf(layer);
  /** Only in the repository `closed/secret`. */
  const secret = randomBytes(1000);

  before(async () => {
    checkout = new Checkout();
    const port = await freePort();
    await checkout.configure({ users, rules, deletion: true, anonymous: { port, prefixes: ["public"] } });
    outputs = await checkout.bringUp();
    client = new RegistryClient(outputs.url, outputs.caCertificate, outputs.passwords);
    anonymous = new RegistryClient(`https://${outputs.anonymousEndpoint}`, outputs.caCertificate, outputs.passwords);
    for (const repository of repositories) await fill(repository);
    assert.equal((await client.pushBlob("admin", "closed/secret", secret)).status, 201);
  });

  after(async () => {
    client.close();
    anonymous.close();
    await checkout.dispose();
  });

  async function fill(repository: string): Promise<void> {
    assert.equal((await client.pushBlob("admin", repository, layer)).status, 201);
    assert.equal((await client.pushBlob("admin", repository, emptyConfig)).status, 201);
    assert.equal((await client.pushManifest("admin", repository, "1", manifest)).status, 201);
  }

  function codeOf(body: Buffer): string | undefined {
    return (JSON.parse(body.toString()) as { errors?: { code: string }[] }).errors?.[0]?.code;
  }

  /** Sends every request of an action; returns the answers. */
  async function attempts(as: User, action: Action, repository: string) {
    const base = `/v2/${repository}`;
    switch (action) {
      case "pull":
        return [
          await client.ask("GET", `${base}/manifests/1`, { as }),
          await client.ask("GET", `${base}/manifests/${digestOf(manifest)}`, { as }),
          await client.ask("GET", `${base}/tags/list`, { as }),
          await client.ask("GET", `${base}/blobs/${blob}`, { as }),
          await client.ask("GET", `${base}/blobs/${blob}`, { as, headers: { Range: "bytes=5-9" } }),
        ];
      case "push": {
        const begun = await client.ask("POST", `${base}/blobs/uploads/`, { as });
        const upload = begun.status === 202 ? client.uploadTarget(begun) : `${base}/blobs/uploads/none`;
        const patched = await client.ask("PATCH", upload, { as, body: layer });
        const cancelled = await client.ask("DELETE", patched.status === 202 ? client.uploadTarget(patched) : upload, {
          as,
        });
        return [
          ...[begun, patched, cancelled],
          await client.pushBlob(as, repository, layer),
          await client.pushManifest(as, repository, "2", manifest),
        ];
      }
      case "delete": {
        const answers = [
          await client.ask("DELETE", `${base}/blobs/${digestOf(emptyConfig)}`, { as }),
          await client.ask("DELETE", `${base}/manifests/${digestOf(manifest)}`, { as }),
        ];
        if (answers.some(({ status }) => status === 202)) await fill(repository);
        return answers;
      }
    }
  }

  for (const { name: user } of users) {
    for (const repository of repositories) {
      it(`let ${JSON.stringify(user)} do in ${repository} what is allowed, and refuse the rest as DENIED`, async () => {
        for (const action of ["pull", "push", "delete"] as const) {
          for (const { status, body } of await attempts(user, action, repository)) {
            if (mayDo(user, action, repository))
              assert.ok(status >= 200 && status < 300, `${action}: ${String(status)}`);
            else assert.deepEqual([status, codeOf(body)], [403, "DENIED"], action);
          }
          const { status } = await client.ask("HEAD", `/v2/${repository}/blobs/${blob}`, { as: user });
          assert.equal(status, mayDo(user, "pull", repository) ? 200 : 403);
        }
      });
    }
  }

  it("show the catalog only to an admin, and confirm the sign-in of every user", async () => {
    for (const { name: as, role } of users) {
      assert.equal((await client.ask("GET", "/v2/_catalog", { as })).status, role === "admin" ? 200 : 403);
      assert.equal((await client.ask("GET", "/v2/", { as })).status, 200);
    }
  });

  it("say in a sentence what is not allowed", async () => {
    const digest = `sha256:${"0".repeat(64)}`;
    const rule = ", by the rule for closed";
    for (const [as, method, target, words] of [
      ["writer", "GET", "/v2/_catalog", "as writer you may not list the catalog"],
      ["reader", "POST", "/v2/app/blobs/uploads/", "as reader you may not push to app"],
      ["writer", "DELETE", `/v2/app/blobs/${digest}`, "as writer you may not delete from app"],
      ["reader", "GET", "/v2/closed/app/tags/list", `as reader you may not pull from closed/app${rule}`],
      ["writer", "GET", `/v2/closed/app/blobs/${digest}`, `as writer you may not pull from closed/app${rule}`],
      ["writer", "POST", "/v2/closed/app/blobs/uploads/", `as writer you may not push to closed/app${rule}`],
    ] as const) {
      const { body } = await client.ask(method, target, { as });
      const { errors } = JSON.parse(body.toString()) as { errors: { message: string }[] };
      assert.equal(errors[0]?.message, words);
    }
  });

  it("take a user name exactly as it is written", async () => {
    const { passwords } = outputs;
    const spelled = (name: string, of: User) =>
      new RegistryClient(outputs.url, outputs.caCertificate, { [name]: passwords[of] ?? "" });
    for (const [name, of] of [
      ["Admin", "admin"],
      ["ADMIN", "admin"],
      ["Writer", "writer"],
      ["writer", "Writer"],
      ["reader ", "reader"],
    ] as const) {
      const other = spelled(name, of);
      assert.equal((await other.ask("GET", "/v2/", { as: name })).status, 401, name);
      other.close();
    }
  });

  it("mount a blob from a repository that the user may pull, in the spellings that clients use", async () => {
    const mount = async (as: User, query: string) => {
      const { status } = await client.ask("POST", `/v2/app/blobs/uploads/?${query}`, { as });
      return status;
    };
    const digest = digestOf(secret);
    await client.pushBlob("admin", "team/secret", secret);
    for (const query of [
      `mount=${digest}&from=team/secret`,
      `from=team/secret&mount=${digest}`,
      `mount=${encodeURIComponent(digest)}&from=team%2Fsecret`,
      `from=team%2fsecret&mount=${encodeURIComponent(digest)}`,
      `from=team%2Fsecret&mount=${encodeURIComponent(digest)}&origin=registry.example%3A5043`,
      `digest-algorithm=sha256&from=team%2Fsecret&mount=${encodeURIComponent(digest)}&ns=a`,
    ]) {
      // A refused mount becomes an ordinary upload, which reveals nothing.
      assert.equal(await mount("writer", query), 202, query);
      assert.equal(await mount(member, query), 201, query);
      assert.equal((await client.ask("DELETE", `/v2/app/blobs/${digest}`, { as: "admin" })).status, 202);
    }
  });

  it("never mount what the user may not pull, in any spelling", async () => {
    const digest = digestOf(secret);
    const from = "closed/secret";
    for (const query of [
      `mount=${digest}&from=${from}`,
      `mount=${digest}&from=closed%2Fsecret`,
      `mount=${digest}&From=app&from=${from}`,
      `mount=${digest}&from=app&from=${from}`,
      `mount=${digest}&from=${from}&from=app`,
      `mount=${digest}&fr%6Fm=${from}`,
      `mount=${digest}&from=%63losed/secret`,
      `mount=${digest}&from=closed//secret`,
      `mount=${digest}&from=app/../${from}`,
      `mount=${digest}&from=Closed/secret`,
      `mount=${digest}&from=localhost:5000/${from}`,
      `mount=${digest};from=${from}`,
      `mount=${digest}&from=+${from}`,
      `mount=${digest}&from=${from}&digest=${digest}`,
      `digest=${digest}&mount=${digest}&from=${from}`,
      `mount=${digest}&from=${from}%00`,
      `mount=${digest}&&from=${from}`,
      `mount=${digest}&x=y&from=app&x=y&from=${from}`,
      `origin=a&mount=${digest}&x=;from=${from}`,
      `mount=${digest}&mount=${digest}&from=${from}`,
      `?mount=${digest}&from=${from}`,
    ]) {
      const { status } = await client.ask("POST", `/v2/app/blobs/uploads/?${query}`, { as: "writer" });
      assert.ok([202, 404].includes(status), `${query}: ${String(status)}`);
    }
    const form = Buffer.from(`mount=${digest}&from=${from}`);
    const boundary = Buffer.from(
      `--b\r\nContent-Disposition: form-data; name="mount"\r\n\r\n${digest}\r\n` +
        `--b\r\nContent-Disposition: form-data; name="from"\r\n\r\n${from}\r\n--b--\r\n`,
    );
    for (const [type, body] of [
      ["application/x-www-form-urlencoded", form],
      [" Application/X-WWW-Form-Urlencoded; charset=utf-8", form],
      ["application/x-www-form-urlencoded ;", form],
      ["multipart/form-data; boundary=b", boundary],
      // To Go these are the same.
      ["\u00c2\u00a0application/x-www-form-urlencoded", form],
      ["appl\u00c4\u00b0cation/x-www-form-urlencoded", form],
      ["\u00c2\u00a0multipart/form-data; boundary=b", boundary],
    ] as const) {
      for (const target of ["/v2/app/blobs/uploads/", `/v2/app/blobs/uploads/?mount=${digest}`]) {
        const { status } = await client.ask("POST", target, { as: "writer", body, headers: { "Content-Type": type } });
        assert.equal(status, 202, `${type} to ${target}`);
      }
    }
    assert.equal((await client.ask("GET", `/v2/app/blobs/${digest}`, { as: "writer" })).status, 404);
    // A user who may pull would have found it.
    const { status } = await client.ask("POST", `/v2/app/blobs/uploads/?mount=${digest}&from=${from}`, { as: "admin" });
    assert.equal(status, 201);
  });

  it("answer only canonical paths, for every user", async () => {
    const foreign = `
      / /v2 /v1/ /V2/ //v2/ /v2// /v2/. /v2/.. /%762/ /v2/%5fcatalog /v2/_catalog/ /v2/../data/docker
      /v2/App/tags/list /v2/APP/tags/list /v2//app/tags/list /v2/app//tags/list /v2/app/tags//list /v2/app/tags/list/
      /v2/./app/tags/list /v2/closed/../app/tags/list /v2/app/../closed/app/tags/list /v2/app/%2e%2e/tags/list
      /v2/%61pp/tags/list /v2/closed%2Fapp/tags/list /v2/app%2Ftags/list /v2/app/tags%2flist /v2/app/manifests/..%2f1
      /v2/app/manifests/.. /v2/app/manifests/. /v2/app/blobs/uploads/..
      /v2/localhost:5000/app/tags/list /v2/[::1]/app/tags/list /v2/-app/tags/list /v2/a..b/tags/list
      /v2/app/blobs/../../closed/secret/blobs/${digestOf(secret)} /v2/app/blobs/${blob}/ /v2/app/blobs/${blob}%20`;
    const unreadable =
      "/../v2/ /v2/%zz/tags/list /v2/app%00/tags/list /v2/app/blobs/sha256:../../../../../../etc/passwd";
    for (const [paths, refusal] of [
      [foreign, [404, "NAME_INVALID"]],
      [unreadable, [400, "UNSUPPORTED"]],
    ] as const) {
      for (const path of paths.trim().split(/\s+/)) {
        for (const as of ["admin", "writer"]) {
          const { status, body } = await client.ask("GET", path, { as });
          assert.deepEqual([status, codeOf(body)], refusal, path);
        }
      }
    }
  });

  it("refuse methods that a path doesn't have, and list those that it has", async () => {
    const has: Record<string, readonly string[]> = {
      "/v2/": ["GET", "HEAD"],
      "/v2/_catalog": ["GET"],
      "/v2/app/tags/list": ["GET"],
      "/v2/app/manifests/none": ["GET", "HEAD", "PUT", "DELETE"],
      [`/v2/app/blobs/sha256:${"0".repeat(64)}`]: ["GET", "HEAD", "DELETE"],
      "/v2/app/blobs/uploads/": ["POST"],
      "/v2/app/blobs/uploads/none": ["GET", "HEAD", "PATCH", "PUT", "DELETE"],
    };
    for (const [path, methods] of Object.entries(has)) {
      for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]) {
        const { status, header } = await client.ask(method, path, { as: "admin" });
        assert.equal(status === 405, !methods.includes(method), `${method} ${path}: ${String(status)}`);
        if (status === 405) assert.deepEqual(header("allow"), [methods.join(", ")]);
      }
    }
  });

  it("let anybody pull public repositories at their own endpoint, and do nothing else", async () => {
    for (const target of ["/v2/", "/v2/public/app/manifests/1", `/v2/public/app/blobs/${blob}`]) {
      assert.equal((await anonymous.ask("GET", target)).status, 200, target);
      assert.equal((await client.ask("GET", target)).status, 401, target);
    }
    for (const [method, target] of [
      ...repositories
        .filter((name) => !name.startsWith("public"))
        .map((name) => ["GET", `/v2/${name}/manifests/1`] as const),
      ["GET", `/v2/app/blobs/${blob}`],
      ["GET", "/v2/_catalog"],
      ["POST", "/v2/public/app/blobs/uploads/"],
      ["PUT", "/v2/public/app/manifests/1"],
      ["DELETE", `/v2/public/app/manifests/${digestOf(manifest)}`],
    ] as const) {
      for (const as of [undefined, "admin"]) {
        const { status, body } = await anonymous.ask(method, target, { as });
        assert.deepEqual([status, codeOf(body)], [403, "DENIED"], target);
      }
    }
  });

  it("serve a blob from the volume as the registry would, until it is deleted", async () => {
    const target = `/v2/app/blobs/${blob}`;
    const whole = await client.ask("GET", target, { as: "reader" });
    assert.ok(whole.body.equals(layer));
    for (const [name, value] of [
      ["content-type", "application/octet-stream"],
      ["content-length", String(layer.length)],
      ["docker-content-digest", blob],
      ["etag", `"${blob}"`],
      ["cache-control", "max-age=31536000"],
      ["accept-ranges", "bytes"],
      ["docker-distribution-api-version", "registry/2.0"],
    ] as const) {
      assert.deepEqual(whole.header(name), [value], name);
    }
    // The registry's own answers have no date of a file: this one came from the volume.
    assert.equal(whole.header("last-modified").length, 1);
    const part = await client.ask("GET", target, { as: "reader", headers: { Range: "bytes=-10" } });
    assert.equal(part.status, 206);
    assert.ok(part.body.equals(layer.subarray(-10)));
    const known = await client.ask("GET", target, { as: "reader", headers: { "If-None-Match": `"${blob}"` } });
    assert.equal(known.status, 304);
    const beyond = await client.ask("GET", target, { as: "reader", headers: { Range: "bytes=100000-" } });
    assert.deepEqual([beyond.status, codeOf(beyond.body)], [416, "RANGE_INVALID"]);
    assert.deepEqual(beyond.header("docker-distribution-api-version"), ["registry/2.0"]);

    assert.equal((await client.ask("DELETE", target, { as: "admin" })).status, 202);
    const gone = await client.ask("GET", target, { as: "reader" });
    assert.deepEqual([gone.status, codeOf(gone.body)], [404, "BLOB_UNKNOWN"]);
    await fill("app");
    // Another repository has it, and this one never had.
    const never = await client.ask("GET", `/v2/app/blobs/${digestOf(Buffer.from("never"))}`, { as: "admin" });
    assert.equal(never.status, 404);
    assert.equal((await client.ask("GET", `/v2/unlinked/blobs/${blob}`, { as: "admin" })).status, 404);
  });

  const longAgo = "Mon, 01 Jan 2001 00:00:00 GMT";
  const farAhead = "Fri, 01 Jan 2100 00:00:00 GMT";

  /** A blob never changes and its tag is its digest. Without a tag or date, the registry still ignores a condition. */
  const preconditions: readonly [headers: Record<string, string>, blob: number, manifest: number, tags: number][] = [
    [{ "If-Match": "*" }, 200, 200, 200],
    [{ "If-Match": `"${blob}"` }, 200, 200, 200],
    [{ "If-Match": `"x", "y,z" ,"${blob}", W/"a"` }, 200, 200, 200],
    [{ "If-Match": '"x"' }, 412, 200, 200],
    [{ "If-Match": `W/"${blob}"` }, 412, 200, 200],
    [{ "If-Match": `"x${blob}"` }, 412, 200, 200],
    [{ "If-Match": blob }, 412, 200, 200],
    [{ "If-Match": `"x", ${blob}` }, 412, 200, 200],
    [{ "If-Match": "*", "If-Unmodified-Since": longAgo }, 200, 200, 200],
    [{ "If-Match": '"x"', "If-None-Match": "*" }, 412, 200, 200],
    [{ "If-Match": `"${blob}"`, "If-None-Match": `"${blob}"` }, 304, 200, 200],
    [{ "If-Match": `"${blob}"`, Range: "bytes=5-9" }, 206, 200, 200],
    [{ "If-Match": `"${blob}"`, Range: "bytes=100000-" }, 416, 200, 200],
    [{ "If-None-Match": "*" }, 304, 200, 200],
    [{ "If-None-Match": `"${blob}"` }, 304, 200, 200],
    [{ "If-None-Match": `"x", W/"${blob}"` }, 304, 200, 200],
    [{ "If-None-Match": `"${digestOf(manifest)}"` }, 200, 304, 200],
    [{ "If-None-Match": '"x"' }, 200, 200, 200],
    [{ "If-None-Match": blob }, 200, 200, 200],
    [{ "If-None-Match": '"x"', "If-Modified-Since": farAhead }, 200, 200, 200],
    [{ "If-None-Match": '"x"', Range: "bytes=100000-" }, 416, 200, 200],
    [{ "If-Modified-Since": farAhead }, 304, 200, 200],
    [{ "If-Modified-Since": longAgo }, 200, 200, 200],
    [{ "If-Modified-Since": "yesterday" }, 200, 200, 200],
    [{ "If-Unmodified-Since": farAhead }, 200, 200, 200],
    [{ "If-Unmodified-Since": longAgo }, 200, 200, 200],
    [{ "If-Unmodified-Since": "yesterday" }, 200, 200, 200],
    [{ "If-Unmodified-Since": "yesterday", Range: "bytes=100000-" }, 416, 200, 200],
    [{ Range: "bytes=5-9" }, 206, 200, 200],
    [{ Range: "bytes=100000-" }, 416, 200, 200],
    [{ Range: "bytes=x" }, 416, 200, 200],
    [{ Range: "lines=5-9" }, 200, 200, 200],
    [{ Range: "bytes=5-9", "If-Range": `"${blob}"` }, 206, 200, 200],
    [{ Range: "bytes=5-9", "If-Range": '"x"' }, 200, 200, 200],
    [{ Range: "bytes=5-9", "If-Range": longAgo }, 200, 200, 200],
    [{ Range: "bytes=5-9", "If-Range": "x" }, 200, 200, 200],
  ];

  it("answer preconditions as HTTP requires, with a body as long as its header says", async () => {
    for (const [headers, ...statuses] of preconditions) {
      const [ofBlob, ofManifest, ofTags] = statuses;
      for (const [path, expected] of [
        [`blobs/${blob}`, ofBlob],
        ["manifests/1", ofManifest],
        [`manifests/${digestOf(manifest)}`, ofManifest],
        ["tags/list", ofTags],
      ] as const) {
        for (const method of path === "tags/list" ? ["GET"] : ["GET", "HEAD"]) {
          const { status, header, body } = await client.ask(method, `/v2/app/${path}`, { as: "reader", headers });
          const shown = `${method} ${path} ${JSON.stringify(headers)}`;
          assert.equal(status, expected, shown);
          const length = header("content-length")[0];
          if (method === "HEAD" || status === 304) assert.equal(body.length, 0, shown);
          else assert.equal(length, String(body.length), shown);
          if (status === 304) assert.equal(length, undefined, shown);
          if (status < 400) continue;
          assert.match(header("content-type")[0] ?? "", /^application\/json/, shown);
          if (method === "GET") assert.match(codeOf(body) ?? "", /^(PRECONDITION_FAILED|RANGE_INVALID)$/, shown);
        }
      }
      const other = { as: "reader", headers };
      const unknown = await client.ask("GET", `/v2/app/blobs/${digestOf(Buffer.from("never"))}`, other);
      assert.deepEqual([unknown.status, codeOf(unknown.body)], [404, "BLOB_UNKNOWN"]);
      assert.equal((await client.ask("GET", `/v2/closed/app/blobs/${blob}`, other)).status, 403);
    }
  });

  it("never follow a symbolic link, at any place in a blob's path", async () => {
    const odd = randomBytes(2000);
    const digest = digestOf(odd);
    const hex = digest.slice("sha256:".length);
    assert.equal((await client.pushBlob("admin", "links/app", odd)).status, 201);
    const target = `/v2/links/app/blobs/${digest}`;
    const root = "/data/docker/registry/v2";
    const folder = `${root}/blobs/sha256/${hex.slice(0, 2)}/${hex}`;
    const layers = `${root}/repositories/links/app/_layers`;
    const registry = await checkout.registry();
    const inRegistry = (script: string) => docker("exec", registry, "sh", "-euc", script);
    for (const [path, leadsTo] of [
      [`${folder}/data`, "/proc/self/environ"],
      // This one is in the registry's container only.
      [`${folder}/data`, "/etc/registry/config.yml"],
      ...[`${folder}/data`, folder, `${layers}/sha256/${hex}/link`, `${layers}/sha256/${hex}`, layers]
        .concat(`${root}/repositories/links/app`, `${root}/repositories/links`)
        .map((path) => [path, `${path}.aside`] as const),
    ] as const) {
      await inRegistry(`mv ${path} ${path}.aside; ln -s ${leadsTo} ${path}`);
      try {
        for (const [headers] of preconditions) {
          for (const method of ["GET", "HEAD"]) {
            const { status, body } = await client.ask(method, target, { as: "reader", headers });
            const shown = `${method} ${path} to ${leadsTo} ${JSON.stringify(headers)}`;
            assert.equal(status, 404, shown);
            if (method === "GET") assert.equal(codeOf(body), "BLOB_UNKNOWN", shown);
          }
        }
      } finally {
        await inRegistry(`rm ${path}; mv ${path}.aside ${path}`);
      }
      assert.ok((await client.ask("GET", target, { as: "reader" })).body.equals(odd), path);
    }
  });

  describe("with common clients", () => {
    let folder: string;
    const image = () => `${checkout.name}-image`;
    const clients = ["docker", "podman", "skopeo"] as const;
    const podman = (...args: string[]) => [
      ...["--root", join(folder, "podman"), "--runroot", join(folder, "podman-run")],
      ...["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", ...args],
    ];

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), "clients-"));
      mkdirSync(join(folder, "certs"));
      writeFileSync(join(folder, "certs", "ca.crt"), outputs.caCertificate);
      writeFileSync(join(folder, "hello"), checkout.name);
      await succeed("tar", ["-C", folder, "-cf", join(folder, "image.tar"), "hello"]);
      await docker("import", join(folder, "image.tar"), image());
      await succeed("podman", podman("import", join(folder, "image.tar"), image()));
      await succeed("skopeo", ["--insecure-policy", "copy", `docker-daemon:${image()}:latest`, `dir:${folder}/image`]);
      for (const name of ["writer", "reader"] as const) {
        const login = ["login", "-u", name, "--password-stdin"];
        const input = outputs.passwords[name] ?? "";
        await succeed("docker", ["--config", join(folder, `docker-${name}`), ...login, outputs.endpoint], { input });
        const certificates = ["--cert-dir", join(folder, "certs")];
        const authfile = ["--authfile", join(folder, `auth-${name}.json`)];
        await succeed("skopeo", [...login, ...certificates, ...authfile, outputs.endpoint], { input });
      }
    });

    after(async () => {
      await run("podman", podman("system", "reset", "--force"));
      await run("docker", ["rmi", image()]);
      rmSync(folder, { recursive: true, force: true });
    });

    const commands: Record<
      (typeof clients)[number],
      (user: User, verb: "push" | "pull", reference: string) => string[]
    > = {
      docker: (user, verb, reference) => ["--config", join(folder, `docker-${user}`), verb, reference],
      podman: (user, verb, reference) => {
        const access = ["--authfile", join(folder, `auth-${user}.json`), "--cert-dir", join(folder, "certs")];
        return podman(verb, ...access, reference);
      },
      skopeo: (user, verb, reference) => {
        const [side, from, to] =
          verb === "push"
            ? ["dest", `dir:${folder}/image`, `docker://${reference}`]
            : ["src", `docker://${reference}`, `dir:${folder}/copy`];
        const access = ["--authfile", join(folder, `auth-${user}.json`), `--${side}-cert-dir`, join(folder, "certs")];
        return ["--insecure-policy", "copy", ...access, from, to];
      },
    };

    /** Makes a client do it, with the image under that name meanwhile. */
    async function doBy(
      by: (typeof clients)[number],
      user: User,
      verb: "push" | "pull",
      reference: string,
    ): Promise<Result> {
      const local = (...args: string[]) => run(by, by === "podman" ? podman(...args) : args);
      if (verb === "push" && by !== "skopeo") await local("tag", image(), reference);
      const result = await run(by, commands[by](user, verb, reference));
      if (by !== "skopeo") await local("rmi", reference);
      rmSync(join(folder, "copy"), { recursive: true, force: true });
      return result;
    }

    for (const by of clients) {
      it(`let an allowed user push and pull with ${by}, and say clearly what another may not do`, async () => {
        const reference = (repository: string) => `${outputs.endpoint}/${repository}:${by}`;
        for (const verb of ["push", "pull"] as const) {
          const { code, output } = await doBy(by, "writer", verb, reference("app"));
          assert.equal(code, 0, output);
        }
        // Before a push podman and skopeo ask by a HEAD, whose answer has no words: `reader` may pull here.
        for (const [user, verb, repository, words] of [
          ["reader", "push", "app", /denied: as reader you may not push to app/],
          ["writer", "pull", "team", /denied: as writer you may not pull from team, by the rule for team/],
          ["writer", "push", "team", by === "docker" ? /denied: as writer you may not push to/ : /403 \(Forbidden\)/],
        ] as const) {
          const { code, output } = await doBy(by, user, verb, reference(repository));
          assert.notEqual(code, 0, output);
          assert.match(output, words);
        }
      });
    }

    it("pull public images without signing in", async () => {
      const pushed = await doBy("docker", "writer", "push", `${outputs.endpoint}/public/app:docker`);
      assert.equal(pushed.code, 0, pushed.output);
      const reference = `${outputs.anonymousEndpoint}/public/app:docker`;
      await succeed("docker", ["--config", join(folder, "nobody"), "pull", reference]);
      await docker("rmi", reference);
    });
  });
});
