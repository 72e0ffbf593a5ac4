/** System folders: neither they nor any folder below them can be used. */
const systems = [
  ...["/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys", "/usr"],
  ...["/var/run", "/var/lock", "/lost+found", "/snap", "/nix", "/System", "/Library", "/Applications", "/private/etc"],
  ...["/var/lib/docker", "/var/lib/containerd", "/var/lib/containers", "/var/lib/dpkg", "/var/lib/systemd"],
];

/** Exceptions below those: a folder in one of these can be used. */
const ownWithin = ["/run/media", "/usr/local", "/System/Volumes"];

/** Shared folders: a folder below one of these can be used, but not the folder itself. */
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

/** Whether a text is an absolute, normalized path. */
export function isPlain(text: string): boolean {
  const path = withoutSlash(text);
  // A colon would end the path in the engine's own notation.
  if (!/^\/[^:\p{Cc}]*$/u.test(path)) return false;
  return path === "/" || path.split("/").every((name, i) => i === 0 || !["", ".", ".."].includes(name));
}

/** Whether a folder belongs to the system or is used by others. */
export function isTaken(text: string): boolean {
  const path = withoutSlash(text);
  return (
    shared.includes(path) ||
    (isWithin(path, systems) && (ownWithin.includes(path) || !isWithin(path, ownWithin))) ||
    // A whole home folder.
    /^\/(home|Users)\/[^/]+$/.test(path)
  );
}

function isWithin(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

function withoutSlash(path: string): string {
  return path.replace(/(?<=.)\/$/, "");
}
