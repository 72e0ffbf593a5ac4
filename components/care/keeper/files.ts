import {
  chmodSync,
  closeSync,
  type Dirent,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  type Stats,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** Runs an action on files. Returns undefined if it failed with one of these codes: others may change the same files. */
export function unless<Result>(codes: readonly string[], action: () => Result): Result | undefined {
  try {
    return action();
  } catch (error) {
    if (codes.includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

const missing = ["ENOENT", "ENOTDIR"];

/** Undefined if there is nothing. */
export function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

/** None if there is no such folder. */
export function namesIn(folder: string): string[] {
  return unless(missing, () => readdirSync(folder)) ?? [];
}

/** The names of the folders in a folder, also of those that a symbolic link leads to, as the registry follows it. */
export function foldersIn(folder: string): string[] {
  const entries = unless(missing, () => readdirSync(folder, { withFileTypes: true })) ?? [];
  const isFolder = (entry: Dirent) =>
    entry.isDirectory() || (entry.isSymbolicLink() && statOf(join(folder, entry.name))?.isDirectory() === true);
  return entries.filter(isFolder).map(({ name }) => name);
}

/** Does something with an open file, which stays the same one if another takes its name. False: there is none. */
export function withFile(path: string, action: (file: number, stats: Stats) => void): boolean {
  const file = unless(missing, () => openSync(path, "r"));
  if (file === undefined) return false;
  try {
    action(file, fstatSync(file));
  } finally {
    closeSync(file);
  }
  return true;
}

/** Renames a file, and makes the folders on its way. False: there is none. */
export function move(from: string, to: string): boolean {
  mkdirSync(dirname(to), { recursive: true });
  return unless(["ENOENT"], () => (renameSync(from, to), true)) ?? false;
}

/** Moves a file, unless another one has its name meanwhile: then this one goes. */
export function moveUnlessTaken(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  unless(["EEXIST"], () => linkSync(from, to));
  unlinkSync(from);
}

export function remove(path: string): void {
  unless(missing, () => unlinkSync(path));
}

/** Removes a folder unless something is in it. */
export function removeEmpty(folder: string): boolean {
  return unless(["ENOTEMPTY", "EEXIST", ...missing], () => (rmdirSync(folder), true)) ?? false;
}

/**
 * Whether files here keep the modes that they are given, and may have two names: what marks and puts back what goes.
 *
 * @throws Error if not.
 */
export function probe(folder: string): void {
  const [file, other] = [join(folder, "probe"), join(folder, "probe.other")];
  mkdirSync(folder, { recursive: true });
  remove(other);
  writeFileSync(file, "");
  const isExecutable = (mode: number) => {
    chmodSync(file, mode);
    return (statSync(file).mode & 0o100) !== 0;
  };
  const keepsModes = !isExecutable(0o640) && isExecutable(0o740);
  const links = unless(["EPERM", "ENOTSUP", "EOPNOTSUPP", "EMLINK", "ENOSYS"], () => (linkSync(file, other), true));
  remove(other);
  remove(file);
  if (!keepsModes || links !== true)
    throw new Error("the disk of the data keeps no modes or no hard links of files, so nothing can be collected there");
}

/** The paths of all files below a folder, relative to it. */
export function* filesBelow(folder: string, within = ""): Generator<string> {
  for (const entry of unless(missing, () => readdirSync(join(folder, within), { withFileTypes: true })) ?? []) {
    const path = join(within, entry.name);
    if (entry.isDirectory()) yield* filesBelow(folder, path);
    else yield path;
  }
}
