import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { EngineNotFound, type EngineSettings, findEngine } from "../../../components/hosts/engine.ts";
import { checkEngine, type Wanted } from "../../../preflight/engine.ts";
import { connectTo } from "../../../preflight/engineClient.ts";
import { isTaken, parseListeners } from "../../../preflight/listeners.ts";

const unset: EngineSettings = { dockerHost: "", dockerContext: "", dockerMachine: "" };

describe("the chosen engine", () => {
  let home: string;
  beforeEach(() => (home = mkdtempSync(join(tmpdir(), "home-"))));
  afterEach(() => rmSync(home, { recursive: true }));

  const find = (settings: Partial<EngineSettings>, env: NodeJS.ProcessEnv = {}) =>
    findEngine({ ...unset, ...settings }, env, home);

  function refusal(settings: Partial<EngineSettings>, env: NodeJS.ProcessEnv = {}): EngineNotFound {
    try {
      find(settings, env);
    } catch (error) {
      assert.ok(error instanceof EngineNotFound);
      return error;
    }
    throw new assert.AssertionError({ message: "an engine was found" });
  }

  function makeContext(name: string, host: string, { certificates = false } = {}): string {
    const folder = createHash("sha256").update(name).digest("hex");
    const meta = join(home, ".docker", "contexts", "meta", folder);
    mkdirSync(meta, { recursive: true });
    writeFileSync(join(meta, "meta.json"), JSON.stringify({ Name: name, Endpoints: { docker: { Host: host } } }));
    const tls = join(home, ".docker", "contexts", "tls", folder, "docker");
    if (certificates) mkdirSync(tls, { recursive: true });
    return tls;
  }

  function makeMachine(storage: string, name: string, address: string): string {
    const folder = join(storage, "machines", name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "config.json"), JSON.stringify({ Driver: { IPAddress: address } }));
    return folder;
  }

  it("is the first that is set of host, context, machine, DOCKER_HOST, local socket", () => {
    makeContext("build", "ssh://deploy@build.example");
    makeMachine(join(home, ".docker", "machine"), "dev1", "192.168.99.100");
    const all = { dockerHost: "unix:///a.sock", dockerContext: "build", dockerMachine: "dev1" };
    const env = { DOCKER_HOST: "unix:///b.sock" };
    assert.equal(find(all, env).host, "unix:///a.sock");
    assert.equal(find({ ...all, dockerHost: "" }, env).host, "ssh://deploy@build.example");
    assert.equal(find({ dockerMachine: "dev1" }, env).host, "tcp://192.168.99.100:2376");
    assert.equal(find({}, env).host, "unix:///b.sock");
    assert.match(find({}).host, /^unix:\/\/\/.*docker\.sock$/);
  });

  it("has the machine's own address for clients, and localhost for a socket", () => {
    makeMachine(join(home, ".docker", "machine"), "dev1", "192.168.99.100");
    assert.equal(find({ dockerMachine: "dev1" }).address, "192.168.99.100");
    assert.equal(find({ dockerHost: "ssh://deploy@build.example:2222" }).address, "build.example");
    assert.equal(find({ dockerHost: "unix:///a.sock" }).address, "localhost");
  });

  it("has the client certificate of a docker-machine, of a context and of DOCKER_CERT_PATH", () => {
    const storage = join(home, "elsewhere");
    const folder = makeMachine(storage, "dev1", "10.0.0.5");
    assert.equal(find({ dockerMachine: "dev1" }, { MACHINE_STORAGE_PATH: storage }).certPath, folder);
    const tls = makeContext("build", "tcp://10.0.0.6:2376", { certificates: true });
    assert.equal(find({ dockerContext: "build" }).certPath, tls);
    const env = { DOCKER_HOST: "tcp://10.0.0.7:2376", DOCKER_CERT_PATH: "/certs" };
    assert.equal(find({}, env).certPath, "/certs");
  });

  it("is refused if nothing has that name, with the setting and the cure", () => {
    const machine = refusal({ dockerMachine: "dev1" });
    assert.equal(machine.setting, "dockerMachine");
    assert.match(machine.message, /there is no docker-machine "dev1"/);
    assert.match(machine.cure, /docker-machine ls/);
    assert.match(refusal({ dockerContext: "build" }).message, /there is no Docker context "build"/);
    assert.match(refusal({ dockerHost: "localhost:2375" }).message, /not the address of a Docker engine/);
  });

  it("is refused without TLS on another machine, however it was chosen", () => {
    assert.match(refusal({ dockerHost: "tcp://10.0.0.5:2375" }).message, /without TLS/);
    assert.match(
      refusal({}, { DOCKER_HOST: "tcp://10.0.0.5:2375" }).message,
      /^DOCKER_HOST connects to another machine without TLS/,
    );
    assert.equal(find({ dockerHost: "tcp://127.0.0.1:2375" }).certPath, undefined);
  });
});

describe("the engine, checked before anything is created", () => {
  /** The answers of an engine that isn't available here. */
  async function withEngine<T>(answers: Record<string, unknown>, ask: (socket: string) => Promise<T>): Promise<T> {
    const folder = mkdtempSync(join(tmpdir(), "engine-"));
    const server = createHttpServer((request, response) => {
      const answer = answers[request.url ?? ""];
      response.writeHead(answer === undefined ? 404 : 200, { "Content-Type": "application/json" });
      response.end(JSON.stringify(answer ?? { message: "no such thing" }));
    });
    const socket = join(folder, "docker.sock");
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    try {
      return await ask(socket);
    } finally {
      server.close();
      rmSync(folder, { recursive: true });
    }
  }

  async function problemsOf(answers: Record<string, unknown>, wanted: Partial<Wanted> = {}): Promise<string[]> {
    return withEngine(answers, async (socket) => {
      const engine = findEngine({ ...unset, dockerHost: `unix://${socket}` }, {});
      const { problems } = await checkEngine(engine, connectTo(engine), {
        engineSetting: engine.setting,
        ports: { port: 1 },
        publishedOn: "127.0.0.1",
        proxyName: "ours",
        images: {},
        ...wanted,
      });
      return problems.map(({ setting, wrong, cure }) => `${setting}: ${wrong}. ${cure}`);
    });
  }

  const current = { "/version": { ApiVersion: "1.41" }, "/containers/json": [] };

  it("is reported when it is too old", async () => {
    const [problem = "", ...more] = await problemsOf({ "/version": { ApiVersion: "1.40" } });
    assert.match(
      problem,
      /^dockerHost: the Docker engine at .* is too old: its API is 1\.40, 1\.41 is needed\. upgrade it to Docker 20\.10/,
    );
    assert.deepEqual(more, []);
    assert.deepEqual(await problemsOf(current), []);
  });

  it("is reported when it doesn't answer, which a preview doesn't need", async () => {
    const engine = findEngine({ ...unset, dockerHost: "unix:///nowhere/docker.sock" }, {});
    const wanted: Wanted = {
      engineSetting: "dockerHost",
      ports: { port: 1 },
      publishedOn: "127.0.0.1",
      proxyName: "ours",
      images: {},
    };
    const { reachable, problems } = await checkEngine(engine, connectTo(engine), wanted);
    assert.equal(reachable, false);
    assert.match(
      problems[0]?.wrong ?? "",
      /^no Docker engine answers at unix:\/\/\/nowhere\/docker\.sock \(dockerHost .*ENOENT/,
    );
  });

  it("names the container that has the port, unless it is our own", async () => {
    const running = (name: string) => ({
      ...current,
      "/containers/json": [{ Names: [`/${name}`], Ports: [{ PublicPort: 5043 }] }],
    });
    assert.match(
      (await problemsOf(running("web"), { ports: { port: 5043 } })).join(),
      /^port: port 5043 of 127\.0\.0\.1 is taken by container web\. .*config set port 5044/,
    );
    assert.deepEqual(await problemsOf(running("ours"), { ports: { port: 5043 } }), []);
  });

  it("reports a port that another program of this machine has", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    try {
      assert.match(
        (await problemsOf(current, { ports: { port } })).join(),
        /^port: port \d+ of 127\.0\.0\.1 is taken by another program\./,
      );
    } finally {
      other.close();
    }
    assert.deepEqual(await problemsOf(current, { ports: { port } }), []);
  });

  it("finds a program that has the port on a machine behind SSH in what Linux lists there", () => {
    const line = (address: string, port: string, state: string) =>
      `   0: ${address}:${port} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 24680 1`;
    const loopback = parseListeners(`  sl  local_address rem_address   st\n${line("0100007F", "0050", "0A")}\n`);
    assert.deepEqual(
      [isTaken(loopback, 80, "0.0.0.0"), isTaken(loopback, 80, "127.0.0.1"), isTaken(loopback, 443, "0.0.0.0")],
      [true, true, false],
    );
    for (const [address, state, takesAll, takesLoopback] of [
      ["00000000", "0A", true, true],
      ["0".repeat(32), "0A", true, true], // [::]
      ["0713C6CB", "0A", true, false],
      ["00000000000000000000000001000000", "0A", false, false], // [::1]
      ["00000000", "01", false, false], // a connection
    ] as const) {
      const listeners = parseListeners(line(address, "0050", state));
      const taken = (["0.0.0.0", "127.0.0.1"] as const).map((on) => isTaken(listeners, 80, on));
      assert.deepEqual(taken, [takesAll, takesLoopback], `${address} ${state}`);
    }
  });

  it("names the setting of an image that is not there and can't be pulled, with the engine's reason", async () => {
    const there = { ...current, "/images/registry:3.1.2/json": {}, "/distribution/nginx:1.30.6-alpine/json": {} };
    const images = { registryImage: "registry:3.1.2", proxyImage: "nginx:1.30.6-alpine" };
    assert.deepEqual(await problemsOf(there, { images }), []);
    const [problem = ""] = await problemsOf(there, { images: { proxyImage: "nginx:9.9.9" } });
    assert.match(
      problem,
      /^proxyImage: the image nginx:9\.9\.9 is not on the engine and can't be pulled: no such thing\. .*config set proxyImage/,
    );
  });
});
