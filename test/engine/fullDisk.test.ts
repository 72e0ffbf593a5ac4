import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import * as https from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import {
  type Answer,
  basicAuthorization,
  digestOf,
  emptyConfig,
  manifestOf,
  RegistryClient,
} from "../../cli/client.ts";
import type { GuardEvent } from "../../components/care/keeper/guard.ts";
import {
  blobData,
  blobsFolder,
  fullFile,
  repositoriesFolder,
  stoppedFolder,
} from "../../components/care/keeper/layout.ts";
import type { Level } from "../../components/care/keeper/levels.ts";
import type { Outputs } from "../../components/outputs.ts";
import { dataGroup } from "../../components/registry/user.ts";
import { Checkout } from "../support/checkout.ts";
import { goTools } from "../support/goTools.ts";
import { Poll } from "../support/poll.ts";
import { docker, type Result, run, succeed } from "../support/run.ts";

const mebibyte = 2 ** 20;
const words =
  "the disk of the registry is full: nothing can be pushed until there is room, pulls go on. To make room, ";

/** A guard as a process of its own, as the user of the data, and what it tells. */
class Guard {
  readonly told: GuardEvent[] = [];
  private readonly order: string;
  private process: ChildProcess | undefined;

  constructor(root: string, limits: object) {
    this.order = JSON.stringify({ root, ...limits, user: Number(dataGroup) });
  }

  async start(): Promise<void> {
    const child = spawn(process.execPath, ["test/support/guard.ts", this.order], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.process = child;
    await new Promise<void>((resolve, reject) => {
      let rest = "";
      child.once("exit", () => reject(new Error("the guard has ended")));
      child.stdout.on("data", (chunk: Buffer) => {
        const lines = (rest + chunk.toString()).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          if (line === "watching") resolve();
          else this.told.push(JSON.parse(line) as GuardEvent);
        }
      });
    });
  }

  async kill(): Promise<void> {
    if (this.process?.exitCode !== null) return;
    const ended = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await ended;
    this.process = undefined;
  }

  get level(): Level {
    return this.told.flatMap((event) => ("level" in event ? [event.level] : [])).at(-1) ?? "ok";
  }

  async until(...levels: readonly Level[]): Promise<void> {
    for (let tries = 0; !levels.includes(this.level); tries++) {
      assert.ok(tries < 100, `the level is ${this.level} and not ${levels.join(" or ")}`);
      await sleep(50);
    }
  }
}

/** Asks all the time how much room there is. */
class Watcher {
  least = Infinity;
  private readonly timer: NodeJS.Timeout;

  constructor(folder: string) {
    this.timer = setInterval(() => (this.least = Math.min(this.least, freeOf(folder))), 5);
  }

  /** Returns the least that was free, in MiB. */
  stop(): number {
    clearInterval(this.timer);
    return Math.floor(this.least / mebibyte);
  }
}

function freeOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** Docker, skopeo, crane and oras, each as somebody would push with it. */
class Clients {
  readonly push: Readonly<Record<string, (repository: string, mebibytes: number) => Promise<Result>>>;
  private readonly folder = mkdtempSync(join(tmpdir(), "clients-"));
  private readonly images = new Map<number, Promise<string>>();

  constructor(tools: string, { endpoint, caCertificate, passwords }: Outputs) {
    const auth = basicAuthorization("admin", passwords["admin"] ?? "").replace("Basic ", "");
    const path = (name: string) => join(this.folder, name);
    writeFileSync(path("config.json"), JSON.stringify({ auths: { [endpoint]: { auth } } }), { mode: 0o600 });
    writeFileSync(path("ca.crt"), caCertificate);
    const env = { ...process.env, DOCKER_CONFIG: this.folder, SSL_CERT_FILE: path("ca.crt") };
    const ref = (repository: string) => `${endpoint}/${repository}:1`;
    const begin = async (mebibytes: number, command: string, ...args: string[]) => {
      await this.imageOf(mebibytes);
      return run(command, args, { env, cwd: this.folder });
    };
    this.push = {
      docker: async (repository, size) => {
        await docker("tag", await this.imageOf(size), ref(repository));
        return begin(size, "docker", "push", ref(repository)).finally(() => docker("rmi", ref(repository)));
      },
      skopeo: (repository, size) => {
        const how = ["--insecure-policy", "copy", "--dest-authfile", path("config.json")];
        return begin(size, "skopeo", ...how, `docker-archive:${String(size)}.tar`, `docker://${ref(repository)}`);
      },
      crane: (repository, size) => begin(size, join(tools, "crane"), "push", `${String(size)}.tar`, ref(repository)),
      oras: (repository, size) =>
        begin(
          size,
          join(tools, "oras"),
          "push",
          "--no-tty",
          "--plain-http=false",
          ref(repository),
          `${String(size)}.bin`,
        ),
    };
  }

  /** An image with so much in it that can't be compressed, also as files SIZE.tar and SIZE.bin. */
  private imageOf(mebibytes: number): Promise<string> {
    const known = this.images.get(mebibytes);
    if (known) return known;
    const made = this.makeImage(mebibytes);
    this.images.set(mebibytes, made);
    return made;
  }

  private async makeImage(mebibytes: number): Promise<string> {
    const [size, context] = [String(mebibytes), join(this.folder, `context-${String(mebibytes)}`)];
    mkdirSync(context);
    writeFileSync(join(this.folder, `${size}.bin`), randomBytes(mebibytes * mebibyte));
    writeFileSync(join(context, "content"), randomBytes(mebibytes * mebibyte));
    writeFileSync(join(context, "Dockerfile"), "FROM scratch\nCOPY content /\n");
    const image = await docker("build", "--quiet", context);
    const tag = `full-disk-${randomBytes(4).toString("hex")}:1`;
    await docker("tag", image, tag);
    await docker("save", "--output", join(this.folder, `${size}.tar`), tag);
    rmSync(context, { recursive: true });
    return tag;
  }

  /** Pushes by all clients at once. */
  all(prefix: string, mebibytes: number): Promise<{ name: string; result: Result }[]> {
    const pushes = Object.entries(this.push).map(async ([name, push]) => {
      return { name, result: await push(`${prefix}/${name}`, mebibytes) };
    });
    return Promise.all(pushes);
  }

  async dispose(): Promise<void> {
    const images = await Promise.all(this.images.values());
    if (images.length > 0) await docker("rmi", ...images);
    rmSync(this.folder, { recursive: true });
  }
}

/** On a small disk in a file. Needs root. */
describe("a registry whose disk is full", function () {
  this.timeout(10 * 60_000);

  const limits = { warning: 60, stop: 70, last: 128 * mebibyte };
  const place = mkdtempSync(join(tmpdir(), "full-"));
  const folder = join(place, "disk");
  const guard = new Guard(folder, limits);
  const layer = randomBytes(mebibyte);
  let checkout: Checkout;
  let outputs: Outputs;
  let clients: Clients;
  let client: RegistryClient;
  let pulls: Poll;
  let started: string[];

  before(async () => {
    mkdirSync(folder);
    chmodSync(place, 0o755); // for the guard's user
    await succeed("truncate", ["--size", "1G", join(place, "image")]);
    await succeed("mkfs.ext4", ["-q", "-m", "0", join(place, "image")]);
    await succeed("mount", ["-o", "loop", join(place, "image"), folder]);
    const tools = await goTools("clients");
    checkout = new Checkout();
    const users = [
      { name: "admin", role: "admin" },
      { name: "reader", role: "reader" },
    ];
    await checkout.configure({ dataPath: folder, users, deletion: true, care: {} });
    outputs = await checkout.bringUp();
    // The guard of these tests has other levels, and is killed now and then.
    await docker("stop", ...(await checkout.containers("keeper")));
    clients = new Clients(tools, outputs);
    client = connect();
    await guard.start();
    const answers = await client.pushArtifact("admin", "team/app", layer);
    const tagged = await client.pushManifest("admin", "team/app", "1", manifestOf(layer));
    assert.deepEqual(statuses([...answers, tagged]), [201, 201, 201, 201]);
    const url = `${outputs.url}/v2/team/app/blobs/${digestOf(layer)}`;
    const authorization = basicAuthorization("admin", outputs.passwords["admin"] ?? "");
    pulls = new Poll(url, authorization, { ca: outputs.caCertificate, keepAlive: true });
    started = await runs();
  });
  after(async () => {
    client.close();
    await guard.kill();
    await clients.dispose();
    await checkout.dispose();
    await succeed("umount", [folder]);
    rmSync(place, { recursive: true });
  });

  const connect = () => new RegistryClient(outputs.url, outputs.caCertificate, outputs.passwords);
  const statuses = (answers: readonly Answer[]) => answers.map(({ status }) => status);
  const refusal = ({ body }: Answer) =>
    (JSON.parse(body.toString()) as { errors: { code: string; message: string }[] }).errors[0];
  /** Since when the containers run, and the proxy's processes, which a reload replaces. */
  const runs = async () => {
    const containers = [...(await checkout.containers("registry")), `${checkout.name}-proxy`].sort();
    const since = await docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", ...containers);
    const processes = (await docker("top", `${checkout.name}-proxy`, "-o", "pid,args")).split("\n");
    // Others come and go.
    return [since, ...processes.filter((line) => line.includes("worker process")).sort()];
  };

  /** Leaves so much room, whatever else there is. */
  async function leave(mebibytes: number): Promise<void> {
    rmSync(join(folder, "fill"), { force: true });
    const size = freeOf(folder) - mebibytes * mebibyte;
    if (size > 0) await succeed("fallocate", ["--length", String(size), join(folder, "fill")]);
  }

  /** The number of blobs, each of which is whole. */
  function wholeBlobs(): number {
    const shards = readdirSync(join(folder, blobsFolder));
    const blobs = shards.flatMap((shard) => readdirSync(join(folder, blobsFolder, shard)));
    for (const hex of blobs) {
      const content = readFileSync(join(folder, blobData(hex)));
      assert.equal(createHash("sha256").update(content).digest("hex"), hex, "a blob is damaged");
    }
    return blobs.length;
  }

  /** The last line that a client printed. */
  const said = ({ output }: Result) => output.trim().split("\n").at(-1) ?? "";

  it("takes pushes of each client while there is room", async () => {
    for (const { name, result } of await clients.all("room", 1))
      assert.equal(result.code, 0, `${name}: ${result.output}`);
    assert.equal(guard.level, "ok");
  });

  it("refuses new pushes at the stop level at once, in words that each client shows", async () => {
    await leave(250);
    await guard.until("stop");
    assert.ok(existsSync(join(folder, fullFile)));
    for (const [name, push] of Object.entries(clients.push)) {
      const begun = Date.now();
      const result = await push(`refused/${name}`, 2);
      const seconds = (Date.now() - begun) / 1000;
      console.log(`      ${name}: ${String(result.code)} after ${seconds.toFixed(1)} s: ${said(result)}`);
      assert.notEqual(result.code, 0, name);
      assert.ok(result.output.includes(words), result.output);
      assert.match(result.output, /denied/i);
    }
    assert.ok(!existsSync(join(folder, repositoriesFolder, "refused")));
  });

  it("refuses there what begins a push or ends it, and nothing else", async () => {
    const manifest = manifestOf(layer);
    const config = { as: "admin", body: emptyConfig, headers: { "Content-Type": "application/octet-stream" } };
    const mount = `/v2/other/blobs/uploads/?mount=${digestOf(layer)}&from=team/app`;
    const refused = [
      await client.ask("POST", "/v2/team/app/blobs/uploads/", { as: "admin" }),
      await client.ask("POST", `/v2/team/app/blobs/uploads/?digest=${digestOf(emptyConfig)}`, config),
      await client.ask("POST", mount, { as: "admin" }),
      await client.pushManifest("admin", "team/app", "again", manifest),
    ];
    for (const answer of refused) {
      assert.equal(answer.status, 403);
      assert.deepEqual(answer.header("content-type"), ["application/json"]);
      assert.deepEqual(refusal(answer)?.code, "DENIED");
      assert.ok(refusal(answer)?.message.startsWith(words));
    }
    const begin = (as?: string) => client.ask("POST", "/v2/team/app/blobs/uploads/", { as });
    assert.equal((await begin()).status, 401);
    assert.match(refusal(await begin("reader"))?.message ?? "", /as reader you may not push/);

    const read = (method: string, path: string) => client.ask(method, `/v2/team/app/${path}`, { as: "admin" });
    const paths = ["tags/list", `blobs/${digestOf(layer)}`, `manifests/${digestOf(manifest)}`];
    assert.deepEqual(statuses(await Promise.all(paths.map((path) => read("GET", path)))), [200, 200, 200]);
    assert.deepEqual(statuses(await Promise.all(paths.slice(1).map((path) => read("HEAD", path)))), [200, 200]);
    assert.deepEqual(statuses(await client.pushArtifact("admin", "gone", emptyConfig)), [403, 403, 403]);
    const [digest = ""] = (await client.ask("HEAD", "/v2/room/crane/manifests/1", { as: "admin" })).header(
      "docker-content-digest",
    );
    assert.equal((await client.ask("DELETE", `/v2/room/crane/manifests/${digest}`, { as: "admin" })).status, 202);
  });

  it("lets an upload that had begun come to its end there", async () => {
    await leave(330);
    await guard.until("ok", "warning");
    const blob = randomBytes(2 * mebibyte);
    const headers = { "Content-Type": "application/octet-stream" };
    const begun = await client.ask("POST", "/v2/team/app/blobs/uploads/", { as: "admin" });
    const send = (target: string, method: string, body: Buffer) =>
      client.ask(method, target, { as: "admin", body, headers });
    const first = await send(client.uploadTarget(begun), "PATCH", blob.subarray(0, mebibyte));
    await leave(250);
    await guard.until("stop");
    const second = await send(client.uploadTarget(first), "PATCH", blob.subarray(mebibyte));
    const last = await send(client.uploadTarget(second, digestOf(blob)), "PUT", Buffer.alloc(0));
    assert.deepEqual(statuses([first, second, last]), [202, 202, 201]);
  });

  it("takes pushes again as soon as there is room, without a restart or a reload", async () => {
    await leave(330);
    await guard.until("ok", "warning");
    assert.ok(!existsSync(join(folder, fullFile)));
    assert.equal((await client.pushBlob("admin", "team/app", randomBytes(1000))).status, 201);
    for (const { name, result } of await clients.all("again", 2))
      assert.equal(result.code, 0, `${name}: ${result.output}`);
    assert.deepEqual(await runs(), started);
  });

  it("never runs out of room, whatever pushes are larger, of each client alone and all at once; and gets it back", async () => {
    await leave(330);
    await guard.until("ok", "warning");
    const [before, blobs] = [freeOf(folder), wholeBlobs()];
    const pushes = Object.entries(clients.push).map(
      ([name, push]) => [name, () => push(`large/${name}`, 230)] as const,
    );
    const all = () => clients.all("larger", 230).then((results) => results.map(({ result }) => result));
    for (const [name, push] of [...pushes, ["all", all] as const]) {
      const told = guard.told.length;
      const watcher = new Watcher(folder);
      const results = [await push()].flat();
      const least = watcher.stop();
      const stopped = guard.told.slice(told).filter((event) => "deed" in event && event.deed === "stop").length;
      console.log(`      ${name}: ${String(stopped)} uploads stopped, at least ${String(least)} MiB free all the time`);
      for (const result of results) {
        console.log(`        ${String(result.code)}: ${said(result)}`);
        assert.notEqual(result.code, 0, name);
        // Who sends all in one request is answered by the registry: it misses the file.
        assert.ok(
          [words, "Path not found"].some((text) => result.output.includes(text)),
          result.output,
        );
      }
      assert.ok(stopped > 0, name);
      assert.ok(least > 0, "the disk was full");
      await guard.until("ok", "warning");
      const given = freeOf(folder) - before;
      assert.ok(Math.abs(given) < 8 * mebibyte, `${String(given)} bytes`);
    }
    // A client may have had the image's configuration up.
    assert.ok(wholeBlobs() - blobs <= 4, "there is a blob too many");
    assert.equal((await client.pushBlob("admin", "team/app", randomBytes(1000))).status, 201);
  });

  for (const method of ["PUT", "PATCH"]) {
    it(`ends an upload by ${method} that is larger than the disk, though the guard is killed again and again`, async () => {
      await leave(330);
      await guard.until("ok", "warning");
      const begun = await client.ask("POST", "/v2/team/app/blobs/uploads/", { as: "admin" });
      const hash = createHash("sha256");
      const part = randomBytes(mebibyte);
      const parts = 1100;
      for (let n = 0; n < parts; n++) hash.update(part);
      const digest = `sha256:${hash.digest("hex")}`;
      const watcher = new Watcher(folder);
      const target = client.uploadTarget(begun, method === "PUT" ? digest : undefined);
      let kills = 0;
      const answer = await send(method, target, async (write) => {
        for (let n = 0; n < parts; n++) {
          await write(part);
          await sleep(5);
          if (n % 200 !== 199) continue;
          await guard.kill();
          await guard.start();
          kills++;
        }
      });
      const least = watcher.stop();
      console.log(`      ${answer}; ${String(kills)} kills; at least ${String(least)} MiB were free all the time`);
      assert.ok(least > 0, "the disk was full");
      assert.match(answer, method === "PUT" ? /^(500|403) / : /^202 /);
      const [id = ""] = begun.header("docker-upload-uuid");
      assert.ok(existsSync(join(folder, stoppedFolder, id)));
      const end = await client.ask("PUT", client.uploadTarget(begun, digest), { as: "admin" });
      assert.equal(end.status, 403);
      assert.ok(refusal(end)?.message.startsWith(words));
      assert.equal((await client.ask("GET", `/v2/team/app/blobs/${digest}`, { as: "admin" })).status, 404);
      await guard.until("ok", "warning");
      wholeBlobs();
      assert.equal((await client.pushBlob("admin", "team/app", randomBytes(1000))).status, 201);
    });
  }

  /** Sends a body piece by piece. Returns the status and the body of the answer. */
  function send(
    method: string,
    target: string,
    produce: (write: (part: Buffer) => Promise<void>) => Promise<void>,
  ): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = {
        Authorization: basicAuthorization("admin", outputs.passwords["admin"] ?? ""),
        "Content-Type": "application/octet-stream",
        "Transfer-Encoding": "chunked",
      };
      const request = https.request(new URL(target, outputs.url), { method, ca: outputs.caCertificate, headers });
      request.on("error", reject);
      request.on("response", (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("end", () => resolve(`${String(response.statusCode)} ${body.trim()}`));
      });
      const write = async (part: Buffer) => {
        if (!request.write(part)) await once(request, "drain");
      };
      produce(write).then(() => request.end(), reject);
    });
  }

  it("has served every pull meanwhile, and was not restarted or reloaded", async () => {
    await pulls.stop();
    console.log(`      ${String(pulls.answered)} pulls, ${String(pulls.failures.length)} failed`);
    assert.deepEqual(pulls.failures, []);
    assert.ok(pulls.answered > 200, String(pulls.answered));
    for (const container of await checkout.containers("registry")) {
      const { output } = await run("docker", ["logs", container]);
      assert.ok(!output.includes("no space left on device"), "the disk was full between two looks");
    }
    assert.deepEqual(await runs(), started);
    console.log(`      ${String(wholeBlobs())} blobs, all of them whole`);
  });
});
