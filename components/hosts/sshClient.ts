import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * Writes the private key of a stack's machine, for this user alone: OpenSSH takes a key from a file only. Gives the file's
 * path from the project's folder, which is where Pulumi runs.
 */
export function writeKeyFile(stack: string, privateKey: string): string {
  const file = join(".state", "ssh", stack);
  if (read(file) === privateKey) {
    chmodSync(file, 0o600); // A copy that was restored may have another mode, and OpenSSH then refuses it.
    return file;
  }
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const part = `${file}.${String(process.pid)}`;
  writeFileSync(part, privateKey, { mode: 0o600 });
  renameSync(part, file);
  return file;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/**
 * Options by which OpenSSH connects to a machine that proves to have this host key, and to none else, whatever the
 * user's own configuration and known hosts say.
 *
 * @param hostKey `ssh-ed25519 AAAA…`
 * @param keyFile The client's private key. Default: those that the user's ssh takes, an agent's among them.
 */
export function pinnedOptions(hostKey: string, keyFile?: string): string[] {
  const [type = "", key = ""] = hostKey.trim().split(/\s+/);
  // A key of this type signs by other hashes now than when it was named.
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
