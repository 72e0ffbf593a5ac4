import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Outputs } from "../../components/outputs.ts";
import { Checkout } from "../support/checkout.ts";
import { docker, run, succeed } from "../support/run.ts";
import { settings } from "../support/settings.ts";

const { images } = settings;

interface Inspected {
  readonly Id: string;
  readonly Name: string;
  readonly Config: {
    readonly Env: string[];
    readonly Cmd: string[] | null;
    readonly Entrypoint: string[];
    readonly Labels: unknown;
  };
  readonly HostConfig: { readonly PortBindings: Record<string, unknown> | null; readonly NetworkMode: string };
  readonly NetworkSettings: { readonly Networks: Record<string, { readonly IPAddress: string }> };
}

describe("a stack from nothing to nothing", function () {
  this.timeout(10 * 60_000);

  let checkout: Checkout;
  let outputs: Outputs;
  /** A client's folder: its signed-in registries, its copy of the authority. */
  let client: string;
  /** The commands that the first `make up` printed at its end. */
  let told: string[];
  let pushed: { readonly reference: string; readonly digest: string };

  const container = (role: string) => `${checkout.name}-${role}`;
  const inspect = async (...names: string[]) => JSON.parse(await docker("inspect", ...names)) as Inspected[];
  const clientDocker = (...args: string[]) => succeed("docker", ["--config", client, ...args]);

  before(async () => {
    client = mkdtempSync(join(tmpdir(), "client-"));
    checkout = new Checkout();
    await checkout.configure();
  });

  after(async () => {
    await checkout.dispose();
    rmSync(client, { recursive: true });
  });

  /** Status and headers of an answer, as curl shows them. */
  async function curl(user: string | undefined, ...args: string[]): Promise<string> {
    writeFileSync(join(client, "ca.pem"), outputs.caCertificate);
    const password = user === undefined ? "" : (outputs.passwords[user] ?? "");
    const credentials = user === undefined ? "" : `user = ${JSON.stringify(`${user}:${password}`)}\n`;
    return succeed("curl", ["--config", "-", "-sS", "--cacert", join(client, "ca.pem"), ...args], {
      input: credentials,
    });
  }

  /** The digest of the one file of a new image, pushed under a name. */
  async function push(name: string): Promise<{ reference: string; digest: string }> {
    const reference = `${outputs.endpoint}/${name}`;
    const context = mkdtempSync(join(tmpdir(), "image-"));
    try {
      writeFileSync(join(context, "hello"), `hello from ${checkout.stack}\n`);
      await succeed("tar", ["-C", context, "-cf", join(context, "image.tar"), "hello"]);
      await docker("import", join(context, "image.tar"), reference);
      const said = await clientDocker("push", reference);
      const digest = /digest: (sha256:[0-9a-f]{64})/.exec(said)?.[1];
      assert.ok(digest, said);
      return { reference, digest };
    } finally {
      rmSync(context, { recursive: true });
      await run("docker", ["rmi", "--force", reference]);
    }
  }

  /** Without a registry, each of these says in one sentence which command to run first. */
  async function nameWhatIsMissing(...targets: string[]): Promise<void> {
    const asked = targets.map((target) => checkout.make(target, { env: { CONFIRM: checkout.stack } }));
    for (const [i, { code, output }] of (await Promise.all(asked)).entries()) {
      const target = targets[i];
      assert.notEqual(code, 0, target);
      assert.match(output, new RegExp(`^[A-Z].*: make up STACK=${checkout.stack}$`, "m"), target);
      assert.doesNotMatch(output, /^error|not found|undefined|Cannot find|^\s+at /m, target);
    }
  }
  const asking = ["login", "passwords", "ca", "smoke", "ssh", "logs"];

  it("doesn't exist yet, and commands that need it say in one sentence what to run first", () =>
    nameWhatIsMissing(...asking));

  it("comes up with `make up`, which tests the result", async () => {
    const output = await checkout.makes("up");
    outputs = await checkout.outputs();
    told = output.match(/(make|docker login) .*?(?=\s{2}| \(|\)| does|$)/gm) ?? [];
    for (const proof of ["TLS", "no password", "password", "push", "pull by digest", "registry closed"]) {
      assert.match(output, new RegExp(`✓ ${proof} `));
    }
    assert.doesNotMatch(output, /✗/);
    assert.ok(output.includes(outputs.loginCommand));
  });

  it("has no file beside its state that a kill could leave half-written, so that the state is unreadable", () => {
    const files = readdirSync(join(checkout.folder, ".state", ".pulumi"), { recursive: true }).map(String);
    assert.ok(files.some((file) => file.endsWith(`${checkout.stack}.json`)));
    assert.deepEqual(
      files.filter((file) => file.endsWith(".attrs")),
      [],
    );
  });

  it("exports exactly the contract", () => {
    assert.deepEqual(Object.keys(outputs).sort(), [
      "address",
      "anonymousEndpoint",
      "caCertificate",
      "caFingerprint",
      "checkCommand",
      "endpoint",
      "login",
      "loginCommand",
      "passwords",
      "records",
      "trustBundle",
      "url",
      "usernames",
    ]);
    assert.match(outputs.endpoint, /^localhost:\d+$/);
    assert.deepEqual(outputs.usernames, ["admin"]);
  });

  it("answers 200 with the password, 401 with a challenge without, with one version header in both", async () => {
    const version = /^docker-distribution-api-version: registry\/2\.0\r?$/gim;
    const withPassword = await curl("admin", "-I", `${outputs.url}/v2/`);
    assert.match(withPassword, /^HTTP\/1\.1 200 /);
    assert.equal(withPassword.match(version)?.length, 1, withPassword);
    const without = await curl(undefined, "-I", `${outputs.url}/v2/`);
    assert.match(without, /^HTTP\/1\.1 401 /);
    assert.match(without, /^WWW-Authenticate: Basic realm=/im);
    assert.equal(without.match(version)?.length, 1, without);
    assert.doesNotMatch(without, /^Server: nginx\/\d/im);
  });

  it("answers a client that isn't signed in with the registry's own error", async () => {
    const { errors } = JSON.parse(await curl(undefined, `${outputs.url}/v2/_catalog`)) as {
      errors: { code: string }[];
    };
    assert.equal(errors[0]?.code, "UNAUTHORIZED");
  });

  it("prints commands that work in a new shell", async () => {
    assert.deepEqual(told, [
      outputs.loginCommand,
      `make passwords STACK=${checkout.stack}`,
      `make login STACK=${checkout.stack}`,
    ]);
    const other = mkdtempSync(join(tmpdir(), "client-"));
    const env = { DOCKER_CONFIG: other };
    const password = outputs.passwords["admin"] ?? "";
    const [signIn = "", passwords = "", login = ""] = told;
    for (const [command, said] of [
      [`${signIn} --password-stdin`, /Login Succeeded/],
      [passwords, new RegExp(`^admin: ${password}$`, "m")],
      [login, /Login Succeeded/],
    ] as const) {
      const { code, output } = await checkout.run("bash", ["-c", command], { env, input: password });
      assert.equal(code, 0, output);
      assert.match(output, said);
    }
    rmSync(other, { recursive: true });
  });

  it("writes the authority with `make ca`, into a file that git ignores", async () => {
    const said = await checkout.makes("ca");
    assert.equal(checkout.read("ca.crt"), outputs.caCertificate);
    assert.ok(said.includes(join(checkout.folder, "ca.crt")) && said.includes(outputs.caFingerprint), said);
    assert.equal(await checkout.succeed("git", ["status", "--porcelain", "ca.crt"]), "");
  });

  it("prints a check command that works", async () => {
    const command = outputs.checkCommand.replace("-u admin", '-u "admin:$PASSWORD"');
    const { code, output } = await checkout.shell(command, { env: { PASSWORD: outputs.passwords["admin"] } });
    assert.equal(code, 0, output);
    assert.match(output, /^HTTP\/1\.1 200 /m);
  });

  it("lets docker sign in, push, and pull by digest", async () => {
    const [, ...login] = outputs.loginCommand.split(" ");
    await succeed("docker", ["--config", client, ...login, "--password-stdin"], {
      input: outputs.passwords["admin"] ?? "",
    });
    pushed = await push("app:1");
    const byDigest = `${outputs.endpoint}/app@${pushed.digest}`;
    await clientDocker("pull", byDigest);
    await docker("rmi", byDigest);
  });

  it("refuses docker with a wrong password", async () => {
    const other = mkdtempSync(join(tmpdir(), "client-"));
    const login = ["--config", other, "login", "-u", "admin", "--password-stdin", outputs.endpoint];
    const { code, output } = await run("docker", login, { input: "wrong" });
    rmSync(other, { recursive: true });
    assert.notEqual(code, 0);
    assert.match(output, /unauthorized|401/i);
  });

  it("lets skopeo copy both ways, with the authority checked", async () => {
    const certificates = join(client, "certs");
    await succeed("mkdir", ["-p", certificates]);
    writeFileSync(join(certificates, "ca.crt"), outputs.caCertificate);
    const skopeo = (...args: string[]) =>
      succeed("skopeo", ["--insecure-policy", "copy", "--authfile", join(client, "config.json"), ...args]);
    await skopeo("--src-cert-dir", certificates, `docker://${pushed.reference}`, `dir:${client}/image`);
    await skopeo("--dest-cert-dir", certificates, `dir:${client}/image`, `docker://${outputs.endpoint}/copied:1`);
    assert.match(await curl("admin", `${outputs.url}/v2/copied/tags/list`), /"tags":\["1"\]/);
  });

  it("has no changes on a second `pulumi up` by hand, nor drift on a refresh", async () => {
    for (const command of ["up", "refresh"]) {
      const { code, output } = await checkout.pulumi(command, "--yes", "--skip-preview", "--expect-no-changes");
      assert.equal(code, 0, output);
    }
  });

  it("hides from `git status` what the first `up` wrote, and doesn't block `git pull`", async () => {
    const file = checkout.stackFile;
    const salt = /^encryptionsalt: .*\n/m;
    const me = ["-c", "user.name=a", "-c", "user.email=a@example.invalid"];
    const git = (...args: string[]) => checkout.succeed("git", [...me, ...args]);
    const written = checkout.read(file);
    assert.match(written, salt);
    // As it was cloned: the stack file tracked, without a salt.
    const tracked = written.replace(salt, "");
    writeFileSync(join(checkout.folder, file), tracked);
    await git("add", ".");
    await git("commit", "--quiet", "-m", "as it was cloned");
    writeFileSync(join(checkout.folder, file), written);
    await checkout.succeed("node", ["cli/main.ts", "init", checkout.stack]);
    assert.equal(await git("status", "--porcelain"), "");

    const upstream = mkdtempSync(join(tmpdir(), "upstream-"));
    await succeed("git", ["clone", "--quiet", checkout.folder, upstream]);
    assert.doesNotMatch(readFileSync(join(upstream, file), "utf8"), salt);
    writeFileSync(join(upstream, file), `# A new comment.\n${tracked}`);
    await succeed("git", ["-C", upstream, ...me, "commit", "-qam", "b"]);
    await git("pull", "--quiet", upstream);
    rmSync(upstream, { recursive: true });
    assert.match(checkout.read(file), /^# A new comment\.$/m);
  });

  it("uses the salt in the state after that pull removed it from the stack file", async () => {
    assert.doesNotMatch(checkout.read(checkout.stackFile), /^encryptionsalt:/m);
    const { code, output } = await checkout.pulumi("preview", "--expect-no-changes");
    assert.equal(code, 0, output);
  });

  it("publishes no port of the registry, and hides it from containers of other networks", async () => {
    const registries = await inspect(...(await checkout.containers("registry")));
    assert.equal(registries.length, 2);
    for (const { HostConfig, NetworkSettings } of registries) {
      assert.deepEqual(HostConfig.PortBindings ?? {}, {});
      assert.deepEqual(Object.keys(NetworkSettings.Networks), [checkout.name]);
    }
    const address = registries[0]?.NetworkSettings.Networks[checkout.name]?.IPAddress ?? "";

    const other = `${checkout.name}-other`;
    const reach = (network: string) =>
      run("docker", [
        ...["run", "--rm", "--network", network, "--entrypoint", "wget", images.registry],
        ...["-q", "-T", "3", "-O", "-", `http://${address}:5000/`],
      ]);
    await docker("network", "create", other);
    try {
      assert.notEqual((await reach(other)).code, 0);
      // The same request from the same network arrives, so it is the network that refuses.
      assert.equal((await reach(checkout.name)).code, 0);
    } finally {
      await docker("network", "rm", other);
    }
  });

  it("doesn't answer other machines", async function () {
    // To the engine, another machine: a network namespace behind its own link.
    if ((await run("ip", ["netns", "list"])).code !== 0) return this.skip();
    const [registry] = await inspect(...(await checkout.containers("registry")));
    const address = registry?.NetworkSettings.Networks[checkout.name]?.IPAddress ?? "";
    const { port } = new URL(outputs.url);
    const space = checkout.stack;
    const link = space.slice(0, 9);
    const ip = (...args: string[]) => succeed("ip", args);
    await ip("netns", "add", space);
    try {
      await ip("link", "add", `${link}-a`, "type", "veth", "peer", "name", `${link}-b`, "netns", space);
      await ip("address", "add", "198.18.7.1/30", "dev", `${link}-a`);
      await ip("link", "set", `${link}-a`, "up");
      await ip("-n", space, "address", "add", "198.18.7.2/30", "dev", `${link}-b`);
      await ip("-n", space, "link", "set", `${link}-b`, "up");
      await ip("-n", space, "route", "add", "default", "via", "198.18.7.1");
      const reach = (url: string) =>
        run("ip", ["netns", "exec", space, "curl", "-sk", "--max-time", "3", "-o", "/dev/null", url]);
      const open = createServer((_, response) => response.end()).listen(0, "198.18.7.1");
      await once(open, "listening");
      assert.notEqual((await reach(`http://${address}:5000/`)).code, 0);
      assert.notEqual((await reach(`https://198.18.7.1:${port}/v2/`)).code, 0);
      // That machine reaches what is open to it.
      assert.equal((await reach(`http://198.18.7.1:${String((open.address() as AddressInfo).port)}/`)).code, 0);
      open.close();
    } finally {
      await ip("netns", "delete", space);
    }
  });

  it("shows no secret in `docker inspect`", async () => {
    const names = (await docker("ps", "--all", "--format", "{{.Names}}", "--filter", `name=${checkout.name}-`)).split(
      "\n",
    );
    assert.equal(names.length, 6);
    for (const secret of await secrets()) assert.ok(!(await docker("inspect", ...names)).includes(secret));
  });

  /** Must not appear unencrypted anywhere: password, hash and private keys, whole and by a telling part. */
  async function secrets(): Promise<string[]> {
    const config = container("proxy-config");
    const read = (file: string) =>
      docker(
        "run",
        "--rm",
        "--entrypoint",
        "cat",
        "--volume",
        `${config}:/etc/proxy:ro`,
        "nginx:1.30.6-alpine",
        `/etc/proxy/current/${file}`,
      );
    const httpSecret = await docker(
      ...[
        "run",
        "--rm",
        "--entrypoint",
        "sh",
        "--volume",
        `${container("registry-config")}:/c:ro`,
        images.registry,
        ...["-c", "cat /c/*/config.yml"],
      ],
    );
    const hash = (await read(".htpasswd")).split(":")[1] ?? "";
    const keyLine = (await read("docker-registry.key")).split("\n")[1] ?? "";
    const found = [outputs.passwords["admin"] ?? "", hash, keyLine, /secret: (\w+)/.exec(httpSecret)?.[1] ?? ""];
    for (const secret of found) assert.ok(secret.length >= 32, "a secret was not found where it belongs");
    return found;
  }

  it("keeps every secret and hash out of state, history, backups, stack file and logs", async () => {
    const places: Record<string, string> = {
      "exported state": (await checkout.pulumi("stack", "export")).stdout,
      "stack file": checkout.read(checkout.stackFile),
      "make logs": (await checkout.make("logs")).output,
      "up, verbose": (await checkout.pulumi("up", "--yes", "--skip-preview", "--diff", "--show-sames")).output,
    };
    const files = readdirSync(join(checkout.folder, ".state", ".pulumi"), { recursive: true, withFileTypes: true });
    for (const file of files.filter((entry) => entry.isFile())) {
      const path = join(file.parentPath, file.name);
      places[path] = readFileSync(path, "utf8");
    }
    const kinds = Object.keys(places).join("\n");
    for (const kind of ["/stacks/", "/history/", "/backups/"]) assert.ok(kinds.includes(kind), kind);
    for (const secret of await secrets()) {
      for (const [place, text] of Object.entries(places)) assert.ok(!text.includes(secret), `a secret is in ${place}`);
    }
  });

  it("takes new users and passwords without replacing the proxy, and forgets the old ones", async () => {
    const [before] = await inspect(container("proxy"));
    const old = outputs.passwords["admin"] ?? "";
    checkout.set({ users: [{ name: "admin" }, { name: "bob the builder" }] });
    await checkout.setSecret("users[0].password", "another password: ünïcode");
    const { code, output } = await checkout.pulumi("up", "--yes", "--skip-preview");
    assert.equal(code, 0, output);

    const [afterwards] = await inspect(container("proxy"));
    assert.equal(afterwards?.Id, before?.Id);
    outputs = await checkout.outputs();
    assert.equal(outputs.passwords["admin"], "another password: ünïcode");
    for (const user of ["admin", "bob the builder"])
      assert.match(await curl(user, "-I", `${outputs.url}/v2/`), / 200 /);
    outputs.passwords["admin"] = old;
    assert.match(await curl("admin", "-I", `${outputs.url}/v2/`), / 401 /);
    outputs = await checkout.outputs();
    await succeed("docker", ["--config", client, "login", "-u", "admin", "--password-stdin", outputs.endpoint], {
      input: outputs.passwords["admin"] ?? "",
    });
  });

  it("is left alone by another checkout with a stack of the same name", async () => {
    const other = new Checkout({}, [], checkout.stack);
    const before = await checkout.remains();
    try {
      await other.configure();
      const { code, output } = await other.make("up");
      assert.notEqual(code, 0);
      assert.match(output, /This engine already has a stack \S+ that is not in the state of this checkout/);
    } finally {
      other.forget();
    }
    assert.deepEqual(await checkout.remains(), before);
    assert.match(await curl("admin", "-I", `${outputs.url}/v2/`), / 200 /);
  });

  it("refuses a proxy configuration that nginx refuses, quotes nginx, and keeps serving the old one", async () => {
    const template = join(checkout.folder, "components/proxy/nginx/nginxConf.ts");
    const good = readFileSync(template, "utf8");
    writeFileSync(template, good.replace("server_tokens off;", "server_tokens perhaps;"));
    const refused = await checkout.pulumi("up", "--yes", "--skip-preview");
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /what was served before goes on being served/);
    assert.match(refused.output, /invalid value "perhaps"/);
    assert.match(await curl("admin", "-I", `${outputs.url}/v2/`), / 200 /);
    writeFileSync(template, good);
  });

  it("goes down with `make destroy`, which keeps the data volume and the engine's images", async () => {
    await checkout.makes("destroy");
    assert.deepEqual(await checkout.remains(), [container("data")]);
    await nameWhatIsMissing(...asking);
    await docker("image", "inspect", images.registry, images.proxy);
  });

  it("has the pushed images again, by digest, when it comes back", async () => {
    await checkout.makes("up");
    outputs = await checkout.outputs();
    const manifest = await curl(
      "admin",
      "-I",
      "-H",
      "Accept: */*, application/vnd.docker.distribution.manifest.v2+json",
      `${outputs.url}/v2/app/manifests/${pushed.digest}`,
    );
    assert.match(manifest, / 200 /);
    assert.ok(manifest.includes(pushed.digest));
  });

  it("is purged only after a confirmation, and then leaves nothing", async () => {
    const asked = await checkout.make("purge");
    assert.notEqual(asked.code, 0);
    assert.match(asked.output, /deletes every image/);
    assert.ok((await checkout.remains()).length > 1);
    await checkout.makes("purge");
    assert.deepEqual(await checkout.remains(), []);
    await nameWhatIsMissing(...asking, "destroy", "purge");
  });
});
