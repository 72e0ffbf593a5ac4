import { readdirSync } from "node:fs";
import { join } from "node:path";

import { namesIn, remove, removeEmpty, statOf, unless } from "./files.ts";
import { condemnedFile, repositoriesFolder } from "./layout.ts";

/** What the registry leaves if it is killed while it writes a file. */
const unfinished = /^(?:data|link)\.[0-9a-f-]{36}\.tmp$/;

/**
 * Removes the folder of a blob or a link that is gone, with what was left there.
 *
 * The registry makes sure of a folder some microseconds before it writes into it: a push of this very blob in this very
 * moment would be refused. So only a folder goes that nothing was written to for long.
 *
 * @param idle Since when.
 */
export function removeRest(folder: string, idle: number): boolean {
  if ((statOf(folder)?.mtimeMs ?? Infinity) >= idle) return false;
  for (const name of namesIn(folder)) {
    const isRest = name === condemnedFile || unfinished.test(name);
    if (isRest && (statOf(join(folder, name))?.mtimeMs ?? Infinity) < idle) remove(join(folder, name));
  }
  return removeEmpty(folder);
}

/** Removes the folder of a repository that has nothing left, so that the catalog is true. */
export function removeRepository(root: string, name: string, idle: number): boolean {
  const folder = join(root, repositoriesFolder, name);
  const own = namesIn(folder).filter((entry) => entry.startsWith("_"));
  const isIdle = [folder, ...own.map((entry) => join(folder, entry))].every(
    (path) => (statOf(path)?.mtimeMs ?? Infinity) < idle,
  );
  const folders = own.map((entry) => emptyTree(join(folder, entry), idle));
  if (!isIdle || folders.includes(undefined)) return false;
  for (const path of folders.flatMap((tree) => tree ?? [])) removeEmpty(path);
  return removeEmpty(folder);
}

/** A folder and all in it, the innermost first; undefined if a file is in it, or anything was written since. */
function emptyTree(folder: string, idle: number): string[] | undefined {
  if ((statOf(folder)?.mtimeMs ?? Infinity) >= idle) return undefined;
  const below: string[] = [];
  for (const entry of unless(["ENOENT"], () => readdirSync(folder, { withFileTypes: true })) ?? []) {
    const tree = entry.isDirectory() ? emptyTree(join(folder, entry.name), idle) : undefined;
    if (tree === undefined) return undefined;
    below.push(...tree);
  }
  return [...below, folder];
}
