import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import fc from "fast-check";
import { parse } from "yaml";

import { type CloudInit, renderCloudInit } from "../../../components/hosts/machine/cloudInit.ts";
import { sshKeyPair } from "../../support/sshKeys.ts";

const programs = "components/hosts/machine/programs";

const args: CloudInit = {
  user: "deploy",
  authorizedKeys: ["ssh-ed25519 AAAAclient\n"],
  hostKey: { private: "-----BEGIN OPENSSH PRIVATE KEY-----\nboot\n", public: "ssh-ed25519 AAAAboot\n" },
  disk: "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol1",
  dataFolder: "/srv/registry",
  generation: 1,
};

interface File {
  readonly path: string;
  readonly permissions?: string;
  readonly content: string;
}

interface Config extends Record<string, unknown> {
  readonly ssh_keys: Readonly<Record<string, string>>;
  readonly users: readonly { readonly ssh_authorized_keys: readonly string[] }[];
  readonly write_files: readonly File[];
}

/** The user data as cloud-init reads it, whose YAML is 1.1. */
function read(changed: Partial<CloudInit> = {}): Config {
  return parse(renderCloudInit({ ...args, ...changed }), { version: "1.1" }) as Config;
}

function fileAt(path: string, changed: Partial<CloudInit> = {}): string {
  const found = read(changed).write_files.find((file) => file.path === path);
  assert.ok(found, path);
  return found.content;
}

describe("the user data of a machine", () => {
  it("is for cloud-init, and has these parts and no others", () => {
    assert.ok(renderCloudInit(args).startsWith("#cloud-config\n"));
    assert.deepEqual(Object.keys(read()).sort(), [
      "disable_root",
      "groups",
      "package_update",
      "packages",
      "runcmd",
      "ssh_deletekeys",
      "ssh_genkeytypes",
      "ssh_keys",
      "ssh_pwauth",
      "users",
      "write_files",
    ]);
  });

  it("lets only deploy in, with a key that forwards nothing: not root, and no password", () => {
    const { users, disable_root, ssh_pwauth } = read();
    assert.deepEqual(users, [
      {
        name: "deploy",
        groups: ["adm", "docker"],
        shell: "/bin/bash",
        lock_passwd: true,
        ssh_authorized_keys: ["restrict,pty ssh-ed25519 AAAAclient"],
        sudo: "ALL=(ALL) NOPASSWD:ALL",
      },
    ]);
    assert.deepEqual([disable_root, ssh_pwauth], [true, false]);
    assert.equal(
      fileAt("/etc/ssh/sshd_config.d/10-registry.conf"),
      "HostKey /etc/ssh/ssh_host_ed25519_key\nPermitRootLogin no\nPasswordAuthentication no\nAllowUsers deploy\n" +
        "MaxStartups 100:30:200\nMaxSessions 100\n",
    );
  });

  it("gives the machine the host key that it boots with, and no other", () => {
    const { ssh_keys, ssh_deletekeys, ssh_genkeytypes } = read();
    assert.deepEqual(ssh_keys, {
      ed25519_private: "-----BEGIN OPENSSH PRIVATE KEY-----\nboot\n",
      ed25519_public: "ssh-ed25519 AAAAboot",
    });
    assert.deepEqual([ssh_deletekeys, ssh_genkeytypes], [true, ["ed25519"]]);
  });

  it("writes these files, of which only the programs are executable", () => {
    const modes = Object.fromEntries(read().write_files.map(({ path, permissions }) => [path, permissions]));
    assert.deepEqual(modes, {
      "/usr/local/sbin/mount-data": "0755",
      "/usr/local/sbin/release-data": "0755",
      "/usr/local/sbin/replace-host-key": "0755",
      "/usr/local/sbin/block-metadata": "0755",
      "/etc/registry-data": undefined,
      "/etc/docker/daemon.json": undefined,
      "/etc/ssh/sshd_config.d/10-registry.conf": undefined,
      "/etc/apt/apt.conf.d/52registry-upgrades": undefined,
      "/etc/systemd/system/registry-data.service": undefined,
      "/etc/systemd/system/docker.service.d/10-registry.conf": undefined,
    });
    for (const name of readdirSync(programs))
      assert.equal(fileAt(`/usr/local/sbin/${name}`), readFileSync(join(programs, name), "utf8"));
  });

  it("starts the engine only when the data disk is mounted, and containers only if metadata are out of reach", () => {
    assert.equal(
      fileAt("/etc/systemd/system/docker.service.d/10-registry.conf"),
      "[Unit]\nRequires=registry-data.service\nAfter=registry-data.service\n" +
        "[Service]\nExecStartPost=/usr/local/sbin/block-metadata\n",
    );
    assert.match(
      fileAt("/etc/systemd/system/registry-data.service"),
      /^Before=docker\.service\n\[Service\]\nType=oneshot\nRemainAfterExit=yes\nExecStart=\/usr\/local\/sbin\/mount-data$/m,
    );
    // An image with an engine has started it by then.
    assert.deepEqual(read()["runcmd"], [
      ["systemctl", "daemon-reload"],
      ["systemctl", "enable", "docker.service"],
      ["systemctl", "restart", "docker.service"],
    ]);
  });

  it("takes the engine and its security updates from the distribution, and limits the engine's logs", () => {
    const { packages, package_update } = read();
    assert.deepEqual([packages, package_update], [["docker.io", "unattended-upgrades"], true]);
    assert.equal(
      fileAt("/etc/apt/apt.conf.d/52registry-upgrades"),
      'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n',
    );
    assert.deepEqual(JSON.parse(fileAt("/etc/docker/daemon.json")), {
      "log-driver": "json-file",
      "log-opts": { "max-size": "10m", "max-file": "3" },
      "live-restore": true,
    });
  });

  it("is smaller than AWS's limit of 16 KiB, with real keys", () => {
    const [client, boot] = [sshKeyPair(), sshKeyPair()];
    const text = renderCloudInit({ ...args, authorizedKeys: [client.public], hostKey: boot });
    assert.ok(Buffer.byteLength(text) < 16_384, String(Buffer.byteLength(text)));
  });

  it("is the same for the same machine, and differs in one line for another generation", () => {
    const first = renderCloudInit(args).split("\n");
    assert.deepEqual(renderCloudInit({ ...args }).split("\n"), first);
    const second = renderCloudInit({ ...args, generation: 2 }).split("\n");
    assert.deepEqual(
      second.filter((line, i) => line !== first[i]).map((line) => line.trim()),
      ["GENERATION=2"],
    );
  });

  it("keeps any key and any disk unchanged, and nothing breaks out of its place", () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: "binary" }),
      fc.constantFrom(": ", "\n- x", "'\"", "#", "|\n"),
    );
    const usual = read();
    fc.assert(
      fc.property(fc.array(text), text, text, text, (keys, key, publicKey, disk) => {
        const hostKey = { private: `-----BEGIN ${key}`, public: `ssh-ed25519 ${publicKey}` };
        const content = `DISK=${disk}\nFOLDER=/srv/registry\nGENERATION=1\n`;
        assert.deepEqual(read({ authorizedKeys: keys, hostKey, disk }), {
          ...usual,
          ssh_keys: { ed25519_private: hostKey.private, ed25519_public: hostKey.public.trim() },
          users: [{ ...usual.users[0], ssh_authorized_keys: keys.map((each) => `restrict,pty ${each.trim()}`) }],
          write_files: usual.write_files.map((file) =>
            file.path === "/etc/registry-data" ? { ...file, content } : file,
          ),
        });
      }),
    );
  });
});

describe("a program of a machine", () => {
  for (const name of readdirSync(programs)) {
    it(`is one that sh and bash can read: ${name}`, () => {
      const path = join(programs, name);
      assert.match(readFileSync(path, "utf8"), /^#!\/bin\/sh\n# .*\n(# .*\n)*set -eu\n/);
      for (const shell of ["sh", "bash"]) execFileSync(shell, ["-n", path]);
    });
  }

  /** Runs one with commands that only record their calls, and end as the given lines of shell say. */
  function run(name: string, commands: Readonly<Record<string, string>>): string[] {
    const folder = mkdtempSync(join(tmpdir(), "machine-"));
    try {
      for (const [command, line] of Object.entries(commands)) {
        writeFileSync(join(folder, command), `#!/bin/sh\necho "${command} $*" >>"${folder}/calls"\n${line}\n`);
        chmodSync(join(folder, command), 0o755);
      }
      execFileSync("sh", [join(programs, name)], { env: { PATH: `${folder}:/usr/bin:/bin` }, stdio: "pipe" });
      return readFileSync(join(folder, "calls"), "utf8").trim().split("\n");
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  it("keeps containers from the metadata of the cloud, by IPv4 and IPv6, and does so once", () => {
    const rule = (address: string) => `DOCKER-USER -d ${address} -j REJECT`;
    const missing = 'test "$2" != -C';
    assert.deepEqual(run("block-metadata", { iptables: missing, ip6tables: missing }), [
      `iptables -w -C ${rule("169.254.169.254")}`,
      `iptables -w -I ${rule("169.254.169.254")}`,
      "ip6tables -w -n -L DOCKER-USER",
      `ip6tables -w -C ${rule("fd00:ec2::254")}`,
      `ip6tables -w -I ${rule("fd00:ec2::254")}`,
    ]);
    assert.deepEqual(run("block-metadata", { iptables: "true", ip6tables: "true" }), [
      `iptables -w -C ${rule("169.254.169.254")}`,
      "ip6tables -w -n -L DOCKER-USER",
      `ip6tables -w -C ${rule("fd00:ec2::254")}`,
    ]);
  });

  it("lets the engine start if Docker leaves IPv6 alone, and not if containers could read the metadata", () => {
    assert.equal(run("block-metadata", { iptables: "true", ip6tables: "false" }).length, 2);
    assert.throws(() => run("block-metadata", { iptables: "false", ip6tables: "true" }));
  });
});
