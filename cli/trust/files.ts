import { accessSync, constants, lstatSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { messageOf, UserError } from "../../components/userError.ts";
import { outputOf } from "../processes.ts";

/** Keeps each byte of a file, whatever its text is encoded in. */
const encoding = "latin1";

/** Whether a path is outside the user's home folder, where `sudo` is needed unless the user is root. */
export function isOutside(path: string): boolean {
  return !path.startsWith(`${homedir()}/`);
}

/**
 * The path of a program; undefined if there is none.
 *
 * @param path The folders to look in. The PATH of users often lacks those of system programs, which are always added.
 */
export function findProgram(name: string, path = process.env["PATH"] ?? ""): string | undefined {
  const programs = [...path.split(":"), "/usr/sbin", "/sbin"].map((folder) => join(folder, name));
  return programs.find((program) => {
    try {
      accessSync(program, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Whether a file or folder exists, also in a folder that only root may read. */
export function exists(path: string): boolean {
  return readable(
    path,
    () => lstatSync(path, { throwIfNoEntry: false }) !== undefined,
    () => runAsRoot('[ ! -e "$1" ] && [ ! -L "$1" ] || echo yes', [path]) !== "",
  );
}

/**
 * The text of a file, also of one that only root may read; undefined if it doesn't exist.
 *
 * @throws UserError if it can't be read, or is a link or a folder, which `writeText` could not put back.
 */
export function readText(path: string): string | undefined {
  if (!exists(path)) return undefined;
  return readable(
    path,
    () => {
      if (!lstatSync(path).isFile()) throw new UserError(notPlain(path));
      return readFileSync(path, encoding);
    },
    () => runAsRoot('[ -f "$1" ] && [ ! -L "$1" ] || { echo "$2" >&2; exit 1; }; cat "$1"', [path, notPlain(path)]),
  );
}

function notPlain(path: string): string {
  return `${path} is not a plain file. Move it away and try again.`;
}

/** The answer of this user or, if this user may not ask, of root. */
function readable<T>(path: string, own: () => T, root: () => T): T {
  try {
    return own();
  } catch (error) {
    if (error instanceof UserError) throw error;
    if ((error as NodeJS.ErrnoException).code !== "EACCES" || isRoot())
      throw new UserError(`${path} can't be read: ${messageOf(error)}`);
    return root();
  }
}

/**
 * Writes a file completely or not at all. A new one can be read by all users, as its new folders can; an existing one
 * keeps its mode and owner.
 */
export function writeText(path: string, text: string): void {
  // The size, as a run that is killed here closes the input early.
  const script = `umask 022
mkdir -p "$(dirname "$1")"
rm -f "$1.new"
[ ! -e "$1" ] || cp -p "$1" "$1.new"
cat >"$1.new"
[ "$(wc -c <"$1.new")" -eq "$2" ]
mv -f "$1.new" "$1"`;
  runAsOwner(path, script, [path, String(text.length)], text);
}

/** Removes a file, and then those of the folders that are empty. */
export function removeFile(path: string, folders: readonly string[]): void {
  const script = `rm -f "$1" "$1.new"
shift
for folder; do rmdir "$folder" 2>/dev/null || true; done`;
  const innermostFirst = [...folders].sort((one, other) => other.length - one.length);
  runAsOwner(path, script, [path, ...innermostFirst]);
}

/** Runs a program as root, with its output at the terminal. */
export function runProgramAsRoot(program: string, args: readonly string[]): void {
  runAsRoot('"$@" >&2', [program, ...args]);
}

function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

function runAsOwner(path: string, script: string, args: readonly string[], input = ""): void {
  if (isOutside(path)) runAsRoot(script, args, input);
  else outputOf("sh", ["-euc", script, "-", ...args], input, encoding);
}

/** Runs a shell script as root. Returns its output. */
function runAsRoot(script: string, args: readonly string[], input = ""): string {
  const words = ["sh", "-euc", script, "-", ...args];
  if (isRoot()) return outputOf("sh", words.slice(1), input, encoding);
  if (findProgram("sudo") === undefined)
    throw new UserError("This needs root, and sudo is not installed. Install sudo, or run the command as root.");
  return outputOf("sudo", words, input, encoding);
}
