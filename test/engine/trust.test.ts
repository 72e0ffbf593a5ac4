import assert from "node:assert/strict";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

import { parse } from "yaml";

import { basicAuthorization } from "../../cli/client.ts";
import { shellQuoted } from "../../components/commands.ts";
import type { Outputs } from "../../components/outputs.ts";
import { buildBuildkit } from "../support/buildkit.ts";
import { Checkout } from "../support/checkout.ts";
import { ClientMachine } from "../support/clientMachine.ts";
import { itInTestLong } from "../support/matrix.ts";
import { docker, succeed } from "../support/run.ts";

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
    /** Follows the guide: the first commands of a section, in the bundle's folder. */
    async function follow(section: string): Promise<void> {
      const [, text = ""] = guide.split(`\n## ${section}\n`);
      const [commands = ""] = /(?: {4}.*\n)+/.exec(text.split("\n## ")[0] ?? "") ?? [];
      assert.match(commands, /^ {4}mkdir -p \/etc\//, section);
      await machine.succeed("sh", ["-euc", `cd "$1"\n${commands}`, "-", bundle]);
    }

    async function assertTrusts(
      section: string,
      version: readonly string[],
      pull: readonly string[],
      restart: () => Promise<unknown> = () => Promise.resolve(),
    ): Promise<void> {
      const [asked = "", ...how] = version;
      console.log(`      ${(await machine.succeed(asked, how)).trim().split("\n")[0] ?? ""}`);
      // The one of docker is also that of podman and its relatives.
      await machine.succeed("sh", [
        "-c",
        "rm -rf /etc/docker/certs.d /etc/containers/certs.d /etc/containerd/certs.d /etc/buildkit",
      ]);
      const [command = "", ...args] = pull;
      const refused = await machine.run(command, args);
      assert.notEqual(refused.code, 0, refused.output);
      assert.match(refused.output, /certificate signed by unknown authority|certificate verify failed/);
      await follow(section);
      await restart();
      await machine.succeed(command, args);
    }

    const store = (name: string) => [
      ...["--root", machine.path(name), "--runroot", machine.path(`${name}-run`), "--storage-driver", "vfs"],
    ];
    const containers = "podman, skopeo, buildah, CRI-O";

    before(async () => {
      const signIn = 'mkdir "$DOCKER_CONFIG" && cp "$1" "$DOCKER_CONFIG/config.json"';
      await machine.succeed("sh", ["-c", signIn, "-", authfile]);
    });

    it("docker", async () => {
      const engine = ["--host", await machine.startDocker()];
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

    describe("BuildKit", function () {
      // The first time, it is built.
      this.timeout(30 * 60_000);

      itInTestLong("as buildkitd, for an image FROM one of the registry", async () => {
        const programs = await buildBuildkit();
        const [buildkitd, buildctl] = ["buildkitd", "buildctl"].map((name) => join(programs, name)) as [string, string];
        const start = () => machine.startBuildkit(buildkitd);
        const [context, result] = [machine.path("context"), machine.path("result")];
        mkdirSync(context);
        writeFileSync(join(context, "Dockerfile"), `FROM ${image}\nCOPY Dockerfile /copy\n`);
        const folders = ["context", "dockerfile"].flatMap((name) => ["--local", `${name}=${context}`]);
        const build = ["build", "--frontend", "dockerfile.v0", "--no-cache", ...folders];
        const output = ["--output", `type=local,dest=${result}`];
        const command = [buildctl, "--addr", await start(), ...build, ...output];
        await assertTrusts("BuildKit, buildx", [buildkitd, "--version"], command, start);
        assert.deepEqual(readdirSync(result).sort(), ["Dockerfile", "copy"]);
      });
    });
  });

  describe("is installed for the clients of a machine by `make trust`", () => {
    /** A command that runs `make` as its user would, without a terminal. */
    const command = (target: string, ...options: readonly string[]) => {
      const own = {
        PULUMI_HOME: process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi"),
        XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
        PULUMI_BACKEND_URL: `file://${checkout.folder}/.state`,
        PATH: `${machine.path("bin")}:${process.env["PATH"] ?? ""}`,
      };
      const env = Object.entries(own).map(([name, value]) => `${name}=${value}`);
      const make = ["make", "--no-print-directory", "-C", checkout.folder, target, `STACK=${checkout.stack}`];
      return ["env", ...env, ...make, ...options];
    };
    function make(target: string, ...options: readonly string[]) {
      const [first = "", ...rest] = command(target, ...options);
      return machine.run(first, rest);
    }
    async function makes(target: string, ...options: readonly string[]): Promise<string> {
      const { code, output } = await make(target, ...options);
      assert.equal(code, 0, output);
      return output;
    }
    async function fails(target: string, ...options: readonly string[]): Promise<string> {
      const { code, output } = await make(target, ...options);
      assert.notEqual(code, 0, output);
      assert.doesNotMatch(output, /^ +at /m, "a stack trace");
      return output;
    }

    const shell = (script: string, ...args: readonly string[]) => machine.succeed("sh", ["-euc", script, "-", ...args]);

    /**
     * Each file, link and folder of the machine's own ones and of the home folder, with its mode, owner and content.
     * Without what npm writes, and without Java's store, which has the time of its update in it.
     */
    async function files(): Promise<string[]> {
      const found = `find /etc /usr/local/share "$HOME" \\( -path "$HOME/.npm" -o -path /etc/ssl/certs/java \\) -prune -o`;
      const printed = await shell(`${found} -printf "%y %m %U %p %l\\n"; ${found} -type f -exec sha256sum {} +`);
      return printed.trim().split("\n").sort();
    }

    const without = (some: readonly string[], all: readonly string[]) => some.filter((line) => !all.includes(line));

    async function assertUntouched(): Promise<void> {
      const now = await files();
      assert.deepEqual([without(now, untouched), without(untouched, now)], [[], []]);
    }

    const inspect = ["--insecure-policy", "inspect", "--authfile"];
    const trusts = async () => (await machine.run("skopeo", [...inspect, authfile, `docker://${image}`])).code === 0;
    const curlTrusts = async () => (await machine.run("curl", ["-sS", `${outputs.url}/v2/`])).code === 0;

    const settings = "/etc/buildkit/buildkitd.toml";
    const read = (path: string) => shell('cat "$1"', path);
    const block = () => outputs.trustBundle["buildkit/buildkitd.toml"] ?? "";
    const record = () => join(checkout.folder, ".state/trust", `${checkout.stack}.json`);
    const dockerFile = () => `/etc/docker/certs.d/${outputs.endpoint}/ca.crt`;

    let untouched: string[];

    before(async () => {
      await shell("rm -rf /etc/docker/certs.d /etc/containers/certs.d /etc/containerd/certs.d");
      // BuildKit is not installed: this is about its settings, which are there already. The last line has no end.
      const program = '#!/bin/sh\\n" >"$1/buildkitd" && chmod +x "$1/buildkitd"';
      await shell(`mkdir "$1" && printf "${program}`, machine.path("bin"));
      await shell(`mkdir -p /etc/buildkit && printf "debug = true" >${settings} && chmod 640 ${settings}`);
      // A file of somebody, in the place of ours.
      await shell('mkdir -p "$(dirname "$1")" && printf "another: \\351\\n" >"$1" && chmod 604 "$1"', dockerFile());
      // The first run of node and npm in a home folder leaves files there.
      await make("status", "QUICK=1");
      untouched = await files();
    });

    it("which shows what it writes, and asks before it writes outside the home folder", async () => {
      const output = await fails("trust");
      for (const path of ["/etc/containerd", `${machine.path("home")}/.config/containers`])
        assert.match(output, new RegExp(`^  ${path}/certs\\.d/${outputs.endpoint}/ca\\.crt   \\(.*; new\\)$`, "m"));
      assert.ok(output.includes(`  ${dockerFile()}   (Docker engine; replaces the file that is there)\n`), output);
      assert.ok(output.includes(`  ${settings}   (BuildKit; appended to the file that is there)\n`), output);
      assert.ok(output.includes(outputs.caFingerprint));
      assert.match(output, /To do it without a question: make trust STACK=\S+ YES=1/);
      await assertUntouched();
      assert.deepEqual([await trusts(), await curlTrusts()], [false, false]);
    });

    for (const [name, key] of [
      ["no", "n\\n"],
      ["Ctrl-C", "\\003"],
      ["Ctrl-D", "\\004"],
    ] as const)
      it(`which changes nothing if the answer is ${name}`, async () => {
        const log = machine.path("terminal");
        writeFileSync(log, "");
        const typed = `for i in $(seq 300); do grep -q "Go on" "$1" && break; sleep 0.1; done; printf '${key}'; sleep 1`;
        const terminal = 'script --quiet --return --flush --command "$2" "$1"';
        const inTerminal = ["-c", `(${typed}) | ${terminal}`, "-", log, command("trust").map(shellQuoted).join(" ")];
        const { code, output } = await machine.run("sh", inTerminal);
        assert.match(output, /Some of this is outside your home folder\. Go on\? \[y\/N\]/);
        assert.match(output, /^Nothing was changed\.\r?$/m);
        assert.doesNotMatch(output, /^ +at /m);
        assert.notEqual(code, 0);
        await assertUntouched();
      });

    it("which then trust it", async () => {
      // Whatever its user's umask.
      const { code, output } = await machine.run("sh", [
        "-c",
        'umask 077; exec "$@"',
        "-",
        ...command("trust", "YES=1"),
      ]);
      assert.equal(code, 0, output);
      assert.deepEqual([await trusts(), await curlTrusts()], [true, false]);
      assert.equal(await read(settings), `debug = true\n${block()}`);
      assert.equal(await read(dockerFile()), outputs.caCertificate);
      const places = [
        "/etc/containerd/certs.d",
        `/etc/containerd/certs.d/${outputs.endpoint}/ca.crt`,
        settings,
        dockerFile(),
      ];
      assert.equal(await machine.succeed("stat", ["--format", "%a", ...places]), "755\n644\n640\n604\n");
      assert.equal(statSync(record()).mode & 0o777, 0o600);
      for (const what of [/Docker engine: no restart is needed/, /containerd: .* config_path = /, /BuildKit: restart/])
        assert.match(output, what);
      assert.match(await makes("trust"), /The clients of this machine already have the authority of /);
    });

    it("and the system's store, also after a run that was killed before it had updated the store", async () => {
      const update = machine.path("bin", "update-ca-certificates");
      await shell('printf "#!/bin/sh\\nexit 1\\n" >"$1"; chmod +x "$1"', update);
      await fails("trust", "YES=1", "SYSTEM=1");
      assert.equal(await curlTrusts(), false);
      await shell('rm "$1"', update);
      const output = await makes("trust", "YES=1", "SYSTEM=1");
      assert.match(output, /^ {2}\S*\/update-ca-certificates --fresh {3}\(is run\)$/m);
      assert.equal(await curlTrusts(), true);
    });

    it("and taken out by `make untrust`, which leaves the machine as it was, file by file", async () => {
      const asked = await fails("untrust");
      assert.match(asked, /To do it without a question: make untrust STACK=\S+ YES=1/);
      assert.equal(await trusts(), true);
      await makes("untrust", "YES=1");
      await assertUntouched();
      assert.deepEqual([await trusts(), await curlTrusts()], [false, false]);
      assert.ok(!existsSync(record()));
      assert.match(await fails("untrust"), /Nothing of stack \S+ is installed on this machine\./);
    });

    it("and taken out after a run that was killed when it had written its record, or some of its files", async () => {
      await makes("trust", "YES=1");
      const kept = readFileSync(record());
      await makes("untrust", "YES=1");
      writeFileSync(record(), kept);
      await shell('mkdir -p "$(dirname "$1")" && printf half >"$1.new"', dockerFile());
      await makes("untrust", "YES=1");
      await assertUntouched();
    });

    it("and taken out of a file that others have changed since, without their lines", async () => {
      await makes("trust", "YES=1");
      await shell(`printf '[worker.oci]\\n  gc = false\\n' >>${settings}`);
      await makes("untrust", "YES=1");
      assert.equal(await read(settings), "debug = true\n[worker.oci]\n  gc = false\n");
      await shell(`printf "debug = true" >${settings}`);
      await assertUntouched();
    });

    it("and not taken out where somebody has changed it, which is said and remembered", async () => {
      await makes("trust", "YES=1");
      await shell('echo changed >>"$1"', dockerFile());
      await shell(`sed -i 's/ca = .*/ca = []/' ${settings}`);
      const stays = (path: string) => `▸ ${path} stays: somebody has changed what was written there.`;
      const output = await fails("untrust", "YES=1");
      for (const path of [settings, dockerFile()]) assert.ok(output.includes(stays(path)), output);
      assert.ok(!existsSync(machine.path("home", ".config/containers")));
      assert.match(await read(dockerFile()), /changed\n$/);
      assert.match(await fails("untrust"), /stays: somebody has changed/);

      // One is put right, the other one deleted.
      await shell(`printf "debug = true" >${settings}; rm "$1"`, dockerFile());
      await makes("untrust", "YES=1");
      assert.ok(!existsSync(record()));
      await shell('printf "another: \\351\\n" >"$1" && chmod 604 "$1"', dockerFile());
      await assertUntouched();
    });

    it("and what somebody wrote in its place comes back after the next `make trust`", async () => {
      await makes("trust", "YES=1");
      await shell('echo mine >"$1"', dockerFile());
      await makes("trust", "YES=1");
      assert.equal(await read(dockerFile()), outputs.caCertificate);
      await makes("untrust", "YES=1");
      assert.equal(await read(dockerFile()), "mine\n");
      await shell('printf "another: \\351\\n" >"$1"', dockerFile());
      await assertUntouched();
    });

    it("unless BuildKit has other settings for it, which are not overwritten", async () => {
      await shell(`printf '[ registry . "%s" ]\\n  http = true\\n' "$1" >${settings}`, outputs.endpoint);
      const output = await fails("trust", "YES=1");
      assert.match(
        output,
        /buildkitd\.toml has settings for \S+ already\. Add these lines to them, then: make trust STACK=\S+/,
      );
      assert.match(output, /^ {2}ca = \[".*ca\.crt"\]$/m);
      assert.equal(await trusts(), false);
      await shell(`printf "debug = true" >${settings}`);
      await assertUntouched();
    });

    it("unless a file can't be read, which is not taken for a missing one", async () => {
      await shell('chmod 600 "$1"; chown 1 "$1"', dockerFile());
      // Root that may read only its own files.
      const weak = ["--bounding-set", "-dac_override,-dac_read_search"];
      const { code, output } = await machine.run("setpriv", [...weak, ...command("trust", "YES=1")]);
      assert.match(output, /ca\.crt can't be read: EACCES: permission denied/);
      assert.notEqual(code, 0);
      assert.equal(await trusts(), false);
      await shell('chown 0 "$1"; chmod 604 "$1"', dockerFile());
      await assertUntouched();
    });

    it("unless none is found", async () => {
      const programs = "dockerd dockerd-rootless.sh containerd podman skopeo buildah buildkitd";
      // Hidden in all folders that are looked at.
      const hide = `for each in ${programs}; do
        for folder in "$1" $(echo "$PATH" | tr : " ") /usr/sbin /sbin; do
          [ ! -e "$folder/$each" ] || mount --bind /dev/null "$folder/$each"
        done
      done`;
      const hidden = ["--mount", "sh", "-euc", `${hide}; shift; exec "$@"`, "-", machine.path("bin")];
      const { code, output } = await machine.run("unshare", [...hidden, ...command("trust", "YES=1")]);
      assert.match(output, /No client was found on this machine/);
      assert.match(output, /make trust STACK=\S+ SYSTEM=1\n.*make trust-bundle STACK=\S+ DIR=trust/);
      assert.notEqual(code, 0);
      await assertUntouched();
    });
  });
});

describe("files that only root may read", function () {
  this.timeout(60_000);

  const folder = mkdtempSync(join(tmpdir(), "files-"));
  const [bin, closed] = [join(folder, "bin"), join(folder, "closed")];
  const file = join(closed, "file");

  before(() => {
    chmodSync(folder, 0o755);
    mkdirSync(bin);
    mkdirSync(closed, { mode: 0o700 });
    writeFileSync(file, "text", { mode: 0o600 });
    // A sudo that asks nobody: the kernel gives root's rights to the shell that reads it.
    const bash = join(folder, "bash");
    cpSync("/bin/bash", bash);
    chmodSync(bash, 0o4755);
    writeFileSync(join(bin, "sudo"), `#!${bash} -p\nexec setpriv --reuid 0 "$@"\n`, { mode: 0o755 });
  });
  after(() => rmSync(folder, { recursive: true }));

  /** The result of an expression about cli/trust/files.ts, for a user who is nobody. */
  async function asNobody(expression: string, path = `${bin}:${process.env["PATH"] ?? ""}`): Promise<unknown> {
    const script = `
      const files = await import(${JSON.stringify(join(process.cwd(), "cli/trust/files.ts"))});
      process.umask(0o077);
      process.setgid(65534);
      process.setgroups([]);
      process.setuid(65534);
      let result;
      try { result = ${expression}; } catch (error) { result = error.message; }
      console.log(JSON.stringify(result ?? null));`;
    const printed = await succeed(process.execPath, ["--input-type=module", "--eval", script], {
      env: { ...process.env, PATH: path },
    });
    return JSON.parse(printed);
  }

  it("are read, found, written and removed through sudo", async () => {
    const missing = join(closed, "sub/new");
    const quoted = JSON.stringify(file);
    assert.equal(await asNobody(`files.readText(${quoted})`), "text");
    assert.equal(await asNobody(`files.readText(${JSON.stringify(missing)})`), null);
    assert.deepEqual(await asNobody(`[${quoted}, ${JSON.stringify(missing)}].map(files.exists)`), [true, false]);
    assert.match(String(await asNobody(`files.readText(${JSON.stringify(closed)})`)), /is not a plain file/);
    await asNobody(`files.writeText(${quoted}, "other") ?? files.writeText(${JSON.stringify(missing)}, "new")`);
    assert.deepEqual([readFileSync(file, "utf8"), readFileSync(missing, "utf8")], ["other", "new"]);
    const modes = [file, missing, join(closed, "sub")].map((path) => (statSync(path).mode & 0o777).toString(8));
    assert.deepEqual(modes, ["600", "644", "755"]);
    await asNobody(`files.removeFile(${JSON.stringify(missing)}, ${JSON.stringify([closed, join(closed, "sub")])})`);
    assert.deepEqual([existsSync(join(closed, "sub")), existsSync(file)], [false, true]);
  });

  it("are no missing ones if there is no sudo", async () => {
    const without = await asNobody(`files.readText(${JSON.stringify(file)})`, "/nowhere");
    assert.match(String(without), /This needs root, and sudo is not installed/);
  });
});
