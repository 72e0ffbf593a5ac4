import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as tls from "node:tls";

import fc from "fast-check";

import { basicAuthorization, digestOf, RegistryClient } from "../../cli/client.ts";
import type { Outputs } from "../../components/outputs.ts";
import { Checkout } from "../support/checkout.ts";
import { anyOddRequest } from "../support/oddRequests.ts";
import { Poll } from "../support/poll.ts";
import { addressOf, docker, run, succeed } from "../support/run.ts";
import { settings } from "../support/settings.ts";

const { images } = settings;

const second = 1000;

describe("the proxy", function () {
  this.timeout(5 * 60 * second);

  let checkout: Checkout;
  let outputs: Outputs;
  let client: RegistryClient;
  let host: string;
  let port: number;
  let authorization: string;
  /** The answer to an upload that stalls while the other tests run. */
  let stalled: ReturnType<typeof stallInUpload>;

  const proxy = () => `${checkout.name}-proxy`;

  before(async () => {
    checkout = new Checkout();
    const users = [{ name: "admin", role: "admin" }, { name: "carol" }, { name: "dave" }];
    await checkout.configure({ users, maxUploadSize: "16m" });
    outputs = await checkout.bringUp();
    client = new RegistryClient(outputs.url, outputs.caCertificate, outputs.passwords);
    host = new URL(outputs.url).hostname;
    port = Number(new URL(outputs.url).port);
    authorization = basicAuthorization("admin", outputs.passwords["admin"] ?? "");
    stalled = stallInUpload();
    stalled.catch(() => undefined); // The test that waits for it says so.
  });

  after(async () => {
    client.close();
    await checkout.dispose();
  });

  const blob = randomBytes(8 * 1024 * 1024);

  /**
   * Sends half of an upload, and the rest more than a minute later: longer than most servers would wait. Returns where the
   * first half was until then, and what was answered.
   */
  async function stallInUpload(): Promise<{ half: string; answer: string }> {
    const alone = new RegistryClient(outputs.url, outputs.caCertificate, outputs.passwords);
    const begun = await alone.ask("POST", "/v2/stalled/blobs/uploads/", { as: "admin" });
    alone.close();
    const socket = connect();
    let answer = "";
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString("latin1")));
    const target = alone.uploadTarget(begun, digestOf(blob));
    socket.write(request(`PUT ${target} HTTP/1.1`, `Content-Length: ${String(blob.length)}`));
    socket.write(blob.subarray(0, blob.length / 2));
    await sleep(65 * second);
    const find = ["find", "/data", "-path", "*_uploads*", "-name", "data", "-size", "+4000k"];
    const half = await docker("exec", await checkout.registry(), ...find);
    socket.write(blob.subarray(blob.length / 2));
    for (let tries = 0; answer === "" && tries < 100; tries++) await sleep(100);
    socket.destroy();
    return { half, answer };
  }

  function connect(options: tls.ConnectionOptions = {}): tls.TLSSocket {
    return tls.connect({ host, port, ca: outputs.caCertificate, servername: "localhost", ...options });
  }

  /** The protocol and the cipher that were agreed on, or the error. */
  function handshake(options: tls.ConnectionOptions): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(options);
      socket.once("secureConnect", () => {
        resolve(`${String(socket.getProtocol())} ${socket.getCipher().name} ${String(socket.alpnProtocol)}`);
        socket.destroy();
      });
      socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  }

  /** The answer to bytes, until the proxy closes or nothing has come for a while. */
  function exchange(bytes: string, patience = second): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect();
      let answer = "";
      socket.once("secureConnect", () => socket.write(bytes, "latin1"));
      socket.on("data", (chunk: Buffer) => (answer += chunk.toString("latin1")));
      socket.setTimeout(patience, () => socket.end(() => resolve(`${answer}(still open)`)));
      socket.once("end", () => resolve(answer));
      socket.once("error", reject);
    });
  }

  function request(line: string, ...headers: string[]): string {
    return [line, "Host: localhost", `Authorization: ${authorization}`, ...headers, "", ""].join("\r\n");
  }

  it("speaks TLS 1.2 and 1.3 with modern ciphers, and nothing older", async () => {
    const old = { ciphers: "ALL:@SECLEVEL=0" };
    assert.match(await handshake({ ...old, minVersion: "TLSv1", maxVersion: "TLSv1" }), /^E/);
    assert.match(await handshake({ ...old, minVersion: "TLSv1.1", maxVersion: "TLSv1.1" }), /^E/);
    assert.match(await handshake({ maxVersion: "TLSv1.2" }), /^TLSv1\.2 ECDHE-ECDSA-(AES\d+-GCM|CHACHA20)/);
    assert.match(await handshake({}), /^TLSv1\.3 TLS_/);
    for (const ciphers of ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES128-GCM-SHA256"]) {
      assert.match(await handshake({ maxVersion: "TLSv1.2", ciphers }), /^E/, ciphers);
    }
  });

  it("tells clients without TLS to sign in, as Docker shows that answer to who has not", async () => {
    const { stdout } = await run("curl", ["--silent", "--include", outputs.url.replace("https:", "http:")]);
    assert.match(
      stdout,
      /^HTTP\/1\.1 400 [^]*\r\nContent-Type: application\/json\r\n[^]*"this port speaks HTTPS only; .* docker login"/,
    );
  });

  it("offers no HTTP/2", async () => {
    assert.match(await handshake({ ALPNProtocols: ["h2", "http/1.1"] }), / http\/1\.1$/);
  });

  for (const version of ["tls1_2", "tls1_3"]) {
    it(`resumes a session of ${version}`, async () => {
      const folder = mkdtempSync(join(tmpdir(), "session-"));
      const file = join(folder, "session");
      const show = async (...args: string[]) => {
        // The session of TLS 1.3 comes after the handshake, so wait for an answer.
        const input = `GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
        const base = ["s_client", "-connect", `${host}:${String(port)}`, `-${version}`, "-ign_eof"];
        return (await run("openssl", [...base, ...args], { input })).output;
      };
      try {
        assert.match(await show("-sess_out", file), /^New, /m);
        assert.match(await show("-sess_in", file), /^Reused, /m);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }

  const upload = "POST /v2/app/blobs/uploads/ HTTP/1.1";
  const smuggled = "0\r\n\r\nGET /v2/_catalog HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (const [what, status, bytes] of [
    ["two lengths", 400, () => request(upload, "Content-Length: 0", "Content-Length: 5") + "abcde"],
    ["a length and chunks", 400, () => request(upload, "Content-Length: 4", "Transfer-Encoding: chunked") + smuggled],
    [
      "two encodings",
      400,
      () => request(upload, "Transfer-Encoding: chunked", "Transfer-Encoding: identity") + smuggled,
    ],
    ["an unknown encoding", 501, () => request(upload, "Transfer-Encoding: xchunked") + smuggled],
    ["chunks in HTTP/1.0", 400, () => request(upload.replace("1.1", "1.0"), "Transfer-Encoding: chunked") + smuggled],
    ["a space in a header's name", 400, () => request(upload, "Content-Length : 4") + "abcd"],
    ["two passwords", 400, () => request("GET /v2/ HTTP/1.1", `Authorization: ${authorization}`)],
    ["two hosts", 400, () => request("GET /v2/ HTTP/1.1", "Host: other")],
    ["no request at all", 400, () => "hello\r\n\r\n"],
    ["a request line of 9 KiB", 414, () => request(`GET /v2/${"a".repeat(9000)} HTTP/1.1`)],
    ["a header of 9 KiB", 431, () => request("GET /v2/ HTTP/1.1", `X-Long: ${"a".repeat(9000)}`)],
    ["40 KiB of headers", 431, () => request("GET /v2/ HTTP/1.1", ...Array<string>(40).fill(`X: ${"a".repeat(1000)}`))],
  ] as const) {
    it(`refuses ${what}, and closes the connection`, async () => {
      const answer = await exchange(bytes());
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${String(status)} `));
      assert.match(answer, /\{"errors":\[\{"code":"UNSUPPORTED"/);
      // One answer, then the connection is closed: the rest was not read as a request.
      assert.equal(answer.match(/HTTP\/1\.1 \d{3}/g)?.length, 1, answer);
      assert.doesNotMatch(answer, /still open/);
    });
  }

  it("refuses odd requests with errors of the API, and never fails itself", async () => {
    const requests = fc.sample(anyOddRequest(authorization), { numRuns: 1500, seed: 12 });
    const refusal = /^HTTP\/1\.1 (4\d\d|501|505) [^]*?\r\ncontent-type: application\/json\b/i;
    for (let i = 0; i < requests.length; i += 10) {
      const some = requests.slice(i, i + 10);
      const answers = await Promise.all(some.map(({ bytes }) => exchange(bytes)));
      for (const [n, answer] of answers.entries()) {
        if (/^HTTP\/1\.1 [123]/.test(answer)) continue;
        const shown = `${some[n]?.bytes.replace(authorization, "…") ?? ""}${answer}`;
        assert.match(answer, refusal, shown);
        if (some[n]?.head !== true) assert.match(answer, /\{"errors":\[\{"code":"[A-Z_]+"/, shown);
      }
    }
    // A pattern that gives up decides nothing.
    assert.doesNotMatch((await run("docker", ["logs", proxy()])).output, /pcre2?_\w+\(\) failed/);
  });

  it("answers HTTP/1.0 without a Host header, which is optional there", async () => {
    const asked = ["GET /v2/ HTTP/1.0", `Authorization: ${authorization}`, "", ""].join("\r\n");
    assert.match(await exchange(asked), /^HTTP\/1\.1 200 [^]*\{\}$/);
  });

  it("drops a client that doesn't finish its request", async () => {
    const began = Date.now();
    assert.equal(await exchange("GET /v2/ HTTP/1.1\r\nHost: lo", 30 * second), "");
    assert.ok(Date.now() - began < 25 * second);
  });

  it("takes an upload in one request and in chunks, and forgets a cancelled one", async () => {
    const blob = randomBytes(3_000_000);
    const headers = { "Content-Type": "application/octet-stream" };
    // If the answer comes before the whole body, the connection ends.
    const alone = new RegistryClient(outputs.url, outputs.caCertificate, outputs.passwords);
    const whole = await alone.ask("POST", `/v2/one/blobs/uploads/?digest=${digestOf(blob)}`, {
      ...{ as: "admin", body: blob, headers },
    });
    alone.close();
    // The registry may accept it at once or ask for another way, as in the API; it never refuses.
    assert.ok([201, 202].includes(whole.status));

    let state = await client.ask("POST", "/v2/chunks/blobs/uploads/", { as: "admin" });
    for (const from of [0, 1_000_000, 2_000_000]) {
      const range = { "Content-Range": `${String(from)}-${String(from + 999_999)}` };
      const body = blob.subarray(from, from + 1_000_000);
      state = await client.ask("PATCH", client.uploadTarget(state), {
        as: "admin",
        body,
        headers: { ...headers, ...range },
      });
      assert.deepEqual([state.status, state.header("range")], [202, [`0-${String(from + 999_999)}`]]);
    }
    const ended = await client.ask("PUT", client.uploadTarget(state, digestOf(blob)), { as: "admin" });
    assert.equal(ended.status, 201);
    assert.ok((await client.ask("GET", `/v2/chunks/blobs/${digestOf(blob)}`, { as: "admin" })).body.equals(blob));

    const begun = await client.ask("POST", "/v2/chunks/blobs/uploads/", { as: "admin" });
    const target = client.uploadTarget(begun);
    assert.equal((await client.ask("GET", target, { as: "admin" })).status, 204);
    assert.equal((await client.ask("DELETE", target, { as: "admin" })).status, 204);
    assert.equal((await client.ask("GET", target, { as: "admin" })).status, 404);
  });

  it("refuses a body above its limit, however it is sent", async () => {
    const blob = Buffer.alloc(16 * 1024 * 1024 + 1);
    for (const chunked of [false, true]) {
      const begun = await client.ask("POST", "/v2/app/blobs/uploads/", { as: "admin" });
      const answer = await exchangeBody(client.uploadTarget(begun), blob, chunked);
      assert.match(answer, /^HTTP\/1\.1 413 [^]*"SIZE_INVALID"/);
    }
  });

  /** A PATCH of a whole body, by its length or in one chunk. */
  async function exchangeBody(target: string, body: Buffer, chunked: boolean): Promise<string> {
    const socket = connect();
    let answer = "";
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString("latin1")));
    socket.on("error", () => undefined); // It may be closed before all was written.
    const length = chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${String(body.length)}`;
    socket.write(request(`PATCH ${target} HTTP/1.1`, length));
    if (chunked) socket.write(`${body.length.toString(16)}\r\n`);
    socket.write(body);
    if (chunked) socket.write("\r\n0\r\n\r\n");
    for (let tries = 0; answer === "" && tries < 100; tries++) await sleep(100);
    socket.destroy();
    return answer;
  }

  it("throttles guessing by address, with 429 and a time to try again, but no signed-in user", async () => {
    const guess = (...before: string[]) => {
      const program = [process.execPath, "test/support/guesser.ts"];
      const [command = "", ...args] = [...before, ...program];
      return { run: (url: string) => succeed(command, [...args, url, "admin", "200", "6"]) };
    };
    // Another address: a container's, on the network that the proxy is on.
    const other = `${checkout.name}-guesser`;
    const image = ["--entrypoint", "sleep", images.registry, "300"];
    await docker("run", "--detach", "--rm", "--name", other, "--network", `${checkout.name}-proxy`, ...image);
    const poll = new Poll(`${outputs.url}/v2/`, authorization, { ca: outputs.caCertificate, keepAlive: true });
    try {
      const pid = await docker("inspect", "--format", "{{.State.Pid}}", other);
      const inside = `https://${await addressOf(proxy(), `${checkout.name}-proxy`)}:8443`;
      assert.equal((await client.ask("GET", "/v2/", { as: "admin" })).status, 200);

      // Thirty at once, then thirty a minute.
      const began = Date.now();
      const allowed = () => 30 + (Date.now() - began) / (2 * second) + 1;
      const here = JSON.parse(await guess().run(outputs.url)) as Record<string, number>;
      assert.deepEqual(Object.keys(here).sort(), ["401", "429"]);
      assert.ok((here["401"] ?? 0) <= allowed(), JSON.stringify(here));

      // From the same address, signed-in users stay so, but a new sign-in has to wait; from elsewhere it doesn't.
      assert.equal((await client.ask("GET", "/v2/", { as: "admin" })).status, 200);
      // One more try every two seconds: once it is used, the next has to wait as long.
      const wrong = { headers: { Authorization: basicAuthorization("admin", "a guess") } };
      for (const awaited of [429, 401]) while ((await client.ask("GET", "/v2/", wrong)).status !== awaited);
      const throttled = await client.ask("GET", "/v2/", { as: "carol" });
      assert.deepEqual([throttled.status, throttled.header("retry-after")], [429, ["10"]]);
      assert.match(throttled.body.toString(), /"TOOMANYREQUESTS"/);
      const carol = basicAuthorization("carol", outputs.passwords["carol"] ?? "");
      const elsewhere = ["nsenter", `--net=/proc/${pid}/ns/net`];
      const [command = "", ...args] = elsewhere;
      const curl = ["curl", "--silent", "--insecure", "--config", "-", `${inside}/v2/`];
      assert.equal(await succeed(command, [...args, ...curl], { input: `header = "Authorization: ${carol}"\n` }), "{}");

      const there = JSON.parse(await guess(...elsewhere).run(inside)) as Record<string, number>;
      assert.deepEqual(Object.keys(there).sort(), ["401", "429"]);
      // From all addresses together only a few pass.
      assert.ok((there["401"] ?? 0) <= allowed(), JSON.stringify([here, there]));
    } finally {
      await poll.stop();
      await docker("rm", "--force", "--volumes", other);
    }
    assert.deepEqual(poll.failures, []);
  });

  it("never throttles requests without a password, which every client sends first", async () => {
    for (let i = 0; i < 100; i++) {
      const { status, header } = await client.ask("GET", "/v2/");
      assert.deepEqual([status, header("www-authenticate")], [401, ['Basic realm="private registry"']]);
    }
  });

  it("lets no request's body block another sign-in", async () => {
    const body = Buffer.alloc(200, "x");
    const began = Date.now();
    const first = await client.ask("PUT", "/v2/app/manifests/1", { as: "dave", body });
    assert.deepEqual([first.status, first.body.toString().includes('"MANIFEST_INVALID"')], [400, true]);
    for (let i = 0; i < 20; i++) {
      const { status } = await client.ask(i % 2 === 0 ? "GET" : "POST", "/v2/app/blobs/uploads/", { body });
      assert.equal(status, 401);
    }
    // If the check of a password waited for a body that never comes, the next one would stall for five seconds.
    assert.ok(Date.now() - began < 4 * second);
  });

  it("logs a line of JSON for each request, and no secret in any", async () => {
    await client.ask("GET", "/v2/logged/app/tags/list?n=5", { as: "admin" });
    await client.pushBlob("admin", "logged/app", Buffer.from("layer"));
    const mistaken = new RegistryClient(outputs.url, outputs.caCertificate, { "name-or-password?": "wrong-password" });
    await mistaken.ask("GET", "/v2/", { as: "name-or-password?" });
    mistaken.close();
    await sleep(1500);
    const { output: logs, stdout } = await run("docker", ["logs", proxy()]);
    const lines = stdout.trim().split("\n");
    const requests = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    // A query may hold the state of an upload.
    assert.ok(requests.every(({ path }) => !String(path).includes("?")));
    const {
      time,
      seconds,
      received,
      client: address,
      ...rest
    } = requests.find(({ path }) => path === "/v2/logged/app/tags/list") ?? {};
    assert.deepEqual(rest, {
      ...{ user: "admin", action: "pull", repository: "logged/app", method: "GET", path: "/v2/logged/app/tags/list" },
      ...{ status: 404, sent: rest["sent"] },
    });
    assert.ok(Date.now() - Date.parse(String(time)) < 60 * second);
    assert.equal(typeof seconds, "number");
    assert.ok(Number(received) > 100 && Number(rest["sent"]) > 100);
    assert.match(String(address), /^\d+\.\d+\.\d+\.\d+$/);
    const pushes = requests.filter(({ action, repository }) => action === "push" && repository === "logged/app");
    assert.deepEqual(
      pushes.map(({ method, status }) => [method, status]),
      [
        ["POST", 202],
        ["PUT", 201],
      ],
    );
    const secrets = [...Object.values(outputs.passwords), "wrong-password", "name-or-password?"];
    for (const secret of [...secrets, ...secrets.map((text) => Buffer.from(text).toString("base64").slice(0, -4))]) {
      assert.ok(!logs.includes(secret), "a secret is in the log");
    }
    assert.ok(!logs.includes(authorization.slice(6)));
  });

  it("leaves no password readable outside its own memory", async () => {
    const [, where] = /(\S+) on \/tmp/.exec(await docker("exec", proxy(), "mount")) ?? [];
    assert.equal(where, "tmpfs");
    assert.match(await docker("exec", proxy(), "ls", "-ln", "/tmp/passwords"), /-rw------- +1 101 /);
  });

  it("waits for a client that stalls in an upload, and holds nothing back meanwhile", async () => {
    const { half, answer } = await stalled;
    // The registry already has the first half: nothing waits in the proxy for the rest.
    assert.match(half, /\/stalled\/_uploads\//);
    assert.match(answer, /^HTTP\/1\.1 201 /);
    const pulled = await client.ask("GET", `/v2/stalled/blobs/${digestOf(blob)}`, { as: "admin" });
    assert.ok(pulled.body.equals(blob));
  });
});
