import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { parse } from "yaml";

import { basicAuthorization } from "../../cli/client.ts";
import type { Outputs } from "../../components/outputs.ts";
import { Checkout } from "../support/checkout.ts";
import { ClientMachine } from "../support/clientMachine.ts";
import { docker } from "../support/run.ts";

/** Needs root. */
describe("the trust bundle", function () {
  this.timeout(3 * 60_000);

  const hostname = "registry.trust.test";
  const machine = new ClientMachine();
  let checkout: Checkout;
  let outputs: Outputs;
  let image: string;
  let authfile: string;
  let bundle: string;
  let guide: string;

  before(async () => {
    checkout = new Checkout();
    await checkout.configure({ hostname });
    outputs = await checkout.bringUp();
    await machine.start(hostname);
    image = `${outputs.endpoint}/app:1`;
    bundle = machine.path("bundle");
    authfile = machine.path("auth.json");
    const auth = basicAuthorization("admin", outputs.passwords["admin"] ?? "").replace("Basic ", "");
    writeFileSync(authfile, JSON.stringify({ auths: { [outputs.endpoint]: { auth } } }), { mode: 0o600 });
    await push();
  });

  after(async () => {
    await machine.dispose();
    await checkout.dispose();
  });

  /** Pushes a small image, by a client that is told not to care. */
  async function push(): Promise<void> {
    const name = `${checkout.name}-image`;
    await docker("build", "--quiet", "--tag", name, "test/support/tinyImage");
    const archive = machine.path("image.tar");
    await docker("save", "--output", archive, name);
    await docker("rmi", name);
    const careless = ["--insecure-policy", "copy", "--dest-tls-verify=false", "--dest-authfile", authfile];
    await machine.succeed("skopeo", [...careless, `docker-archive:${archive}`, `docker://${image}`]);
  }

  it("is written by `make trust-bundle`, without a secret", async () => {
    await checkout.makes("trust-bundle", { env: { DIR: bundle } });
    guide = readFileSync(join(bundle, "README.md"), "utf8");
    assert.ok(guide.includes(outputs.caFingerprint));
    assert.equal(readFileSync(join(bundle, "ca.crt"), "utf8"), outputs.caCertificate);
    for (const [path, content] of Object.entries(outputs.trustBundle)) {
      assert.equal(readFileSync(join(bundle, path), "utf8"), content);
      assert.ok(!content.includes(outputs.passwords["admin"] ?? ""), path);
    }
    assert.ok(!existsSync(join(bundle, "kubernetes")));
  });

  it("has a pull secret for the user that was asked for, which only its owner can read", async () => {
    const secret = () => join(bundle, "kubernetes/pull-secret.yaml");
    const { code, output } = await checkout.make("trust-bundle", { env: { DIR: bundle, PULL_USER: "nobody" } });
    assert.notEqual(code, 0);
    assert.match(output, /There is no user nobody in stack .*\. Its users: admin/);
    assert.ok(!existsSync(secret()));
    await checkout.makes("trust-bundle", { env: { DIR: bundle, PULL_USER: "admin" } });
    assert.equal(statSync(secret()).mode & 0o777, 0o600);
    const { type, data } = parse(readFileSync(secret(), "utf8")) as { type: string; data: Record<string, string> };
    assert.equal(type, "kubernetes.io/dockerconfigjson");
    const config = JSON.parse(Buffer.from(data[".dockerconfigjson"] ?? "", "base64").toString()) as {
      auths: Record<string, { auth: string }>;
    };
    const expected = basicAuthorization("admin", outputs.passwords["admin"] ?? "");
    assert.equal(`Basic ${config.auths[outputs.endpoint]?.auth ?? ""}`, expected);
  });

  it("is not written where other files are, nor without a folder", async () => {
    const other = await checkout.make("trust-bundle", { env: { DIR: checkout.folder } });
    assert.match(other.output, /has other files\. Name a new or an empty folder: DIR=…/);
    const none = await checkout.make("trust-bundle");
    assert.match(none.output, /Name a folder: make trust-bundle STACK=\S+ DIR=trust/);
    assert.deepEqual([other.code, none.code].includes(0), false);
  });

  describe("lets a client pull that is refused without it:", () => {
    /** Follows the guide: the commands of a section, in the bundle's folder. */
    async function follow(section: string): Promise<void> {
      const [, text = ""] = guide.split(`\n## ${section}\n`);
      const [command = ""] = / {4}(mkdir .*)/.exec(text.split("\n## ")[0] ?? "")?.slice(1) ?? [];
      assert.ok(command.startsWith("mkdir -p /etc/"), section);
      await machine.succeed("sh", ["-euc", `cd "$1"; ${command}`, "-", bundle]);
    }

    async function assertTrusts(section: string, version: readonly string[], pull: readonly string[]): Promise<void> {
      const [asked = "", ...how] = version;
      console.log(`      ${(await machine.succeed(asked, how)).trim().split("\n")[0] ?? ""}`);
      // The one of docker is also that of podman and its relatives.
      await machine.succeed("sh", ["-c", "rm -rf /etc/docker/certs.d /etc/containers/certs.d /etc/containerd/certs.d"]);
      const [command = "", ...args] = pull;
      const refused = await machine.run(command, args);
      assert.notEqual(refused.code, 0, refused.output);
      assert.match(refused.output, /certificate signed by unknown authority|certificate verify failed/);
      await follow(section);
      await machine.succeed(command, args);
    }

    const store = (name: string) => [
      ...["--root", machine.path(name), "--runroot", machine.path(`${name}-run`), "--storage-driver", "vfs"],
    ];
    const containers = "podman, skopeo, buildah, CRI-O";

    it("docker", async () => {
      const engine = ["--host", await machine.startDocker()];
      await machine.succeed("sh", [
        "-c",
        'mkdir "$DOCKER_CONFIG" && cp "$1" "$DOCKER_CONFIG/config.json"',
        "-",
        authfile,
      ]);
      const version = ["docker", ...engine, "version", "--format", "docker {{.Server.Version}}"];
      await assertTrusts("Docker engine", version, ["docker", ...engine, "pull", "--quiet", image]);
    });

    it("containerd", async () => {
      const address = ["--address", await machine.startContainerd()];
      const user = `admin:${outputs.passwords["admin"] ?? ""}`;
      const pull = ["images", "pull", "--hosts-dir", "/etc/containerd/certs.d", "--user", user, image];
      await assertTrusts("containerd", ["containerd", "--version"], ["ctr", ...address, ...pull]);
    });

    it("skopeo", () =>
      assertTrusts(
        containers,
        ["skopeo", "--version"],
        [
          ...["skopeo", "--insecure-policy", "copy", "--src-authfile", authfile],
          ...[`docker://${image}`, `dir:${machine.path("copy")}`],
        ],
      ));

    for (const client of ["podman", "buildah"])
      it(client, async () => {
        const policy = machine.path("policy.json");
        writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
        const pull = ["pull", "--quiet", "--authfile", authfile, "--signature-policy", policy, image];
        await assertTrusts(containers, [client, "--version"], [client, ...store(client), ...pull]);
      });
  });

  describe("is installed for the clients of a machine by `make trust`", () => {
    /** As its user would, without a terminal. */
    const make = (target: string, ...options: readonly string[]) => {
      const own = {
        PULUMI_HOME: process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi"),
        XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
        PULUMI_BACKEND_URL: `file://${checkout.folder}/.state`,
        PATH: `${machine.path("bin")}:${process.env["PATH"] ?? ""}`,
      };
      const env = Object.entries(own).map(([name, value]) => `${name}=${value}`);
      const called = ["make", "--no-print-directory", "-C", checkout.folder, target, `STACK=${checkout.stack}`];
      return machine.run("env", [...env, ...called, ...options]);
    };

    /**
     * Each file, link and folder of /etc and of the home folder, with its mode, owner and content. Without what npm
     * writes, and without Java's store, which the system makes from the others with the time in it.
     */
    async function files(): Promise<string[]> {
      const found = `find /etc "$HOME" \\( -path "$HOME/.npm" -o -path /etc/ssl/certs/java \\) -prune -o`;
      const printed = await machine.succeed("sh", [
        ...["-euc", `${found} -printf "%y %m %U %p %l\\n"; ${found} -type f -exec sha256sum {} +`],
      ]);
      return printed.trim().split("\n").sort();
    }

    const others = (some: readonly string[], all: readonly string[]) => some.filter((line) => !all.includes(line));

    async function assertUntouched(): Promise<void> {
      const now = await files();
      assert.deepEqual([others(now, untouched), others(untouched, now)], [[], []]);
    }

    const skopeo = ["--insecure-policy", "inspect", "--authfile"];
    const trusts = async () => (await machine.run("skopeo", [...skopeo, authfile, `docker://${image}`])).code === 0;
    const curl = async () => (await machine.run("curl", ["-sS", `${outputs.url}/v2/`])).code === 0;

    let untouched: string[];

    before(async () => {
      await machine.succeed("sh", ["-c", "rm -rf /etc/docker/certs.d /etc/containers/certs.d /etc/containerd/certs.d"]);
      // BuildKit is not installed: this is about its file only, which has settings already.
      await machine.succeed("sh", [
        "-euc",
        'mkdir "$1" && printf "#!/bin/sh\\n" >"$1/buildkitd" && chmod +x "$1/buildkitd" && mkdir -p /etc/buildkit && printf "debug = true" >/etc/buildkit/buildkitd.toml',
        "-",
        machine.path("bin"),
      ]);
      // The first run of node and npm in a home folder leaves files there.
      await make("status", "QUICK=1");
      untouched = await files();
    });

    it("which shows what it writes, and asks before it writes outside the home folder", async () => {
      const { code, output } = await make("trust");
      assert.notEqual(code, 0);
      for (const path of ["/etc/docker", "/etc/containerd", `${machine.path("home")}/.config/containers`])
        assert.match(output, new RegExp(`  ${path}/certs\\.d/${outputs.endpoint}/ca\\.crt   \\(`));
      assert.match(output, /To write there without a question: make trust STACK=\S+ YES=1/);
      await assertUntouched();
      assert.deepEqual([await trusts(), await curl()], [false, false]);
    });

    it("which then trust it", async () => {
      const { code, output } = await make("trust", "YES=1", "SYSTEM=1");
      assert.equal(code, 0, output);
      assert.deepEqual([await trusts(), await curl()], [true, true]);
      const buildkit = await machine.succeed("cat", ["/etc/buildkit/buildkitd.toml"]);
      assert.equal(buildkit, `debug = true\n${outputs.trustBundle["buildkit/buildkitd.toml"] ?? ""}`);
      const again = await make("trust", "SYSTEM=1");
      assert.match(again.output, /The clients of this machine trust .* already\./);
      assert.equal(again.code, 0);
    });

    it("and taken out by `make untrust`, which leaves the machine as it was, file by file", async () => {
      const { code, output } = await make("untrust", "YES=1");
      assert.equal(code, 0, output);
      await assertUntouched();
      assert.deepEqual([await trusts(), await curl()], [false, false]);
      assert.match((await make("untrust")).output, /Nothing of stack \S+ is installed on this machine\./);
    });

    it("and not taken out of a file that somebody has changed since", async () => {
      await make("trust", "YES=1");
      await machine.succeed("sh", ["-c", "echo 'trace = true' >>/etc/buildkit/buildkitd.toml"]);
      const { output } = await make("untrust", "YES=1");
      assert.match(output, /\/etc\/buildkit\/buildkitd\.toml was changed since, so it stays/);
      assert.match(await machine.succeed("cat", ["/etc/buildkit/buildkitd.toml"]), /^debug = true\n.*\n.*\ntrace/);
      assert.equal(await trusts(), false);
    });
  });
});
