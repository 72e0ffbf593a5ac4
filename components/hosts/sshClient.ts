import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * Writes the private key of a stack's machine to a file that only this user can read: OpenSSH reads keys only from
 * files. Returns the path relative to the project's folder, where Pulumi runs.
 */
export function writeKeyFile(stack: string, privateKey: string): string {
  const file = join(".state", "ssh", stack);
  writePrivately(file, privateKey);
  chmodSync(file, 0o600); // A restored copy may have another mode, and OpenSSH would refuse it.
  return file;
}

/** Writes a file that only this user can read, completely or not at all; leaves it alone if it has this text. */
export function writePrivately(file: string, text: string): void {
  if (read(file) === text) return;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const part = `${file}.${String(process.pid)}`;
  writeFileSync(part, text, { mode: 0o600 });
  renameSync(part, file);
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/**
 * Options that make OpenSSH connect only to a machine that proves to have this host key, regardless of the user's own
 * configuration and known hosts.
 *
 * @param hostKey `ssh-ed25519 AAAA…`
 * @param keyFile The client's private key. Default: the keys that the user's ssh uses, including those of an agent.
 */
export function pinnedOptions(hostKey: string, keyFile?: string): string[] {
  const [type = "", key = ""] = hostKey.trim().split(/\s+/);
  // An ssh-rsa key now signs with SHA-2, under other algorithm names.
  const algorithms = type === "ssh-rsa" ? "rsa-sha2-512,rsa-sha2-256" : type;
  const options = [
    "BatchMode=yes",
    "ConnectTimeout=15",
    "StrictHostKeyChecking=yes",
    "UserKnownHostsFile=/dev/null",
    "GlobalKnownHostsFile=/dev/null",
    "VerifyHostKeyDNS=no",
    "NoHostAuthenticationForLocalhost=no",
    "ControlPath=none",
    `HostKeyAlgorithms=${algorithms}`,
    `KnownHostsCommand=/bin/echo %H ${type} ${key}`,
    ...(keyFile === undefined ? [] : ["IdentitiesOnly=yes", `IdentityFile="${keyFile}"`]),
  ];
  return options.flatMap((option) => ["-o", option]);
}
