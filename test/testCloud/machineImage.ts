import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { cached } from "../support/cache.ts";
import { docker, run, succeed } from "../support/run.ts";

const suite = "bookworm";

const packages = [
  ...["systemd-sysv", "dbus", "cloud-init", "openssh-server", "sudo", "locales", "unattended-upgrades"],
  ...["docker.io", "iptables", "nftables", "iproute2", "netbase", "ca-certificates", "curl"],
  ...["procps", "util-linux", "e2fsprogs", "python3"],
];

/** What lies over the packages. */
const files = "test/testCloud/image";

const hooks = [
  `sync-in ${files} /`,
  // Each machine makes its own.
  'rm -f "$1"/etc/ssh/ssh_host_*',
  // For a machine that begins without Docker.
  'mkdir "$1"/packages && cd "$1"/packages && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get download docker.io',
  `cd "$1"/packages && for deb in *.deb; do dpkg-deb --field "$deb" &&
     printf 'Filename: ./%s\\nSize: %s\\nSHA256: %s\\n\\n' "$deb" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -c -64)"
   done >Packages`,
  // The packages are all there, and a machine reaches no mirror: without sources `apt-get update` succeeds at once.
  'rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/* "$1"/var/lib/apt/lists/*',
  // They would apply to this whole host.
  'ln -s /dev/null "$1"/etc/systemd/system/systemd-sysctl.service',
  'echo LANG=C.UTF-8 >"$1"/etc/default/locale',
];

/** The Docker image that machines run: a Debian with systemd, as a cloud offers it. Built once. */
export async function machineImage(): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([suite, packages, hooks]));
  for (const path of pathsIn(files)) hash.update(path).update(readFileSync(path));
  const key = hash.digest("hex").slice(0, 12);
  const name = `private-registry-test-machine:${key}`;
  if ((await run("docker", ["image", "inspect", name])).code === 0) return name;

  const tar = await cached(`machine-${key}.tar`, makeRootfs);
  await docker("import", tar, name);
  return name;
}

async function makeRootfs(path: string): Promise<void> {
  await succeed("bootstrap/ensure-commands", ["mmdebstrap"]);
  await succeed("mmdebstrap", [
    ...["--variant=minbase", "--format=tar", `--include=${packages.join()}`],
    ...hooks.map((hook) => `--customize-hook=${hook}`),
    ...[suite, path],
  ]);
}

function pathsIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
