import { readFileSync } from "node:fs";
import { join } from "node:path";

import { stringify } from "yaml";

export interface CloudInit {
  /** The user who signs in, with these public keys in OpenSSH format: not root, and without a password. */
  readonly user: string;
  readonly authorizedKeys: readonly string[];
  /** The host key that the machine boots with. It is replaced at once, as readers of the user data know it. */
  readonly hostKey: { readonly private: string; readonly public: string };
  /** The device of the data disk, which may be attached after the start, and its mount point. */
  readonly disk: string;
  readonly dataFolder: string;
  /** A different number replaces the machine even if nothing else changes. */
  readonly generation: number;
}

const programs = "/usr/local/sbin";
const boundedLogs = { "log-driver": "json-file", "log-opts": { "max-size": "10m", "max-file": "3" } };

const ours = ["mount-data", "release-data", "replace-host-key", "block-metadata"] as const;

/**
 * The user data that sets up a bare Debian or Ubuntu as a registry's machine: the engine from the distribution, a
 * deploy user, the data disk mounted before the engine starts, automatic security updates. Secret, as it holds a host
 * key. A change replaces the machine.
 */
export function renderCloudInit({ user, authorizedKeys, hostKey, disk, dataFolder, generation }: CloudInit): string {
  const config = {
    users: [
      {
        name: user,
        // A user with access to the engine has the rights of root anyway; the point is that nobody signs in as root.
        groups: ["adm", "docker"],
        shell: "/bin/bash",
        lock_passwd: true,
        ssh_authorized_keys: authorizedKeys.map((key) => `restrict,pty ${key.trim()}`),
        sudo: "ALL=(ALL) NOPASSWD:ALL",
      },
    ],
    groups: ["docker"],
    disable_root: true,
    ssh_pwauth: false,
    ssh_deletekeys: true,
    ssh_genkeytypes: ["ed25519"],
    ssh_keys: { ed25519_private: hostKey.private, ed25519_public: hostKey.public.trim() },
    package_update: true,
    packages: ["docker.io", "unattended-upgrades"],
    write_files: [
      ...ours.map((name) => ({
        path: `${programs}/${name}`,
        permissions: "0755",
        content: readFileSync(join(import.meta.dirname, "programs", name), "utf8"),
      })),
      {
        path: "/etc/registry-data",
        content: lines(`DISK=${disk}`, `FOLDER=${dataFolder}`, `GENERATION=${String(generation)}`),
      },
      {
        path: "/etc/docker/daemon.json",
        content: JSON.stringify({ ...boundedLogs, "live-restore": true }, undefined, 2),
      },
      {
        path: "/etc/ssh/sshd_config.d/10-registry.conf",
        // Every request to the engine opens a session, and many come at once.
        content: lines(
          "HostKey /etc/ssh/ssh_host_ed25519_key",
          "PermitRootLogin no",
          "PasswordAuthentication no",
          `AllowUsers ${user}`,
          "MaxStartups 100:30:200",
          "MaxSessions 100",
        ),
      },
      {
        path: "/etc/apt/apt.conf.d/52registry-upgrades",
        content: lines('APT::Periodic::Update-Package-Lists "1";', 'APT::Periodic::Unattended-Upgrade "1";'),
      },
      {
        path: "/etc/systemd/system/registry-data.service",
        content: lines(
          "[Unit]",
          "Description=The data disk of the registry",
          "Before=docker.service",
          "[Service]",
          "Type=oneshot",
          "RemainAfterExit=yes",
          `ExecStart=${programs}/mount-data`,
          "TimeoutStartSec=infinity",
        ),
      },
      {
        // Without its data disk the registry would start empty and accept pushes.
        path: "/etc/systemd/system/docker.service.d/10-registry.conf",
        content: lines(
          "[Unit]",
          "Requires=registry-data.service",
          "After=registry-data.service",
          "[Service]",
          `ExecStartPost=${programs}/block-metadata`,
        ),
      },
    ],
    runcmd: [
      ["systemctl", "daemon-reload"],
      ["systemctl", "enable", "docker.service"],
      // The image may include an engine that started before these files were written.
      ["systemctl", "restart", "docker.service"],
    ],
  };
  return `#cloud-config\n${stringify(config, { lineWidth: 0 })}`;
}

function lines(...all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join("");
}
