import { configCommand } from "../components/commands.ts";
import type { Problems } from "./problems.ts";

/** Folders that are the system's with all that is below them. */
const systems = [
  ...["/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys", "/usr"],
  ...["/var/run", "/var/lock", "/lost+found", "/snap", "/nix", "/System", "/Library", "/Applications", "/private/etc"],
  ...["/var/lib/docker", "/var/lib/containerd", "/var/lib/containers", "/var/lib/dpkg", "/var/lib/systemd"],
];

/** Below those, where people have disks and software of their own. */
const ownWithin = ["/run/media", "/usr/local", "/System/Volumes"];

/** Folders that hold those of others; one below them may well be the registry's own. */
const shared = [
  ...[
    "/",
    "/home",
    "/root",
    "/srv",
    "/opt",
    "/mnt",
    "/media",
    "/tmp",
    "/Users",
    "/Volumes",
    "/private",
    "/private/var",
  ],
  ...["/var", "/var/lib", "/var/cache", "/var/log", "/var/spool", "/var/mail", "/var/opt", "/var/tmp", "/var/backups"],
];

/** Whatever is in it is given to the registry's user, so that it can't be a folder that others need. */
export function parseDataPath(text: string, problems: Problems): string | undefined {
  if (text === "") return undefined;
  const cure = configCommand("set", "dataPath", "/srv/registry");
  const path = text.replace(/(?<=.)\/$/, "");
  if (!isPlain(path)) {
    const wrong = `${JSON.stringify(text)} is not an absolute folder of the engine's machine`;
    return problems.add("dataPath", wrong, `write it from the root, without ~, .., // or a colon: ${cure}`);
  }
  if (isTaken(path)) {
    const wrong = `${JSON.stringify(text)} is a folder that others need, and all in it would be given to the registry's user`;
    return problems.add(
      "dataPath",
      wrong,
      `name one for the registry alone, and move what it has there already: ${cure}`,
    );
  }
  return text;
}

function isPlain(path: string): boolean {
  // A colon would end the path in the engine's own notation.
  if (!/^\/[^:\p{Cc}]*$/u.test(path)) return false;
  return path === "/" || path.split("/").every((name, i) => i === 0 || !["", ".", ".."].includes(name));
}

function isTaken(path: string): boolean {
  return (
    shared.includes(path) ||
    (isWithin(path, systems) && (ownWithin.includes(path) || !isWithin(path, ownWithin))) ||
    // The whole home of somebody.
    /^\/(home|Users)\/[^/]+$/.test(path)
  );
}

function isWithin(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}
