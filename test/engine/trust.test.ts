import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
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
    await checkout.makes("trust-bundle", { env: { DIR: bundle } });
    assert.ok(!existsSync(secret()), "the secret of an earlier bundle is left");
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
});
