import { fchmodSync, futimesSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { filesBelow, foldersIn, move, moveUnlessTaken, remove, removeEmpty, statOf, withFile } from "./files.ts";
import { blobData, keeperFolder } from "./layout.ts";

const trashFolder = join(keeperFolder, "trash");

/** What is being taken away, and goes back if the run is killed; and what is gone, and goes back only if it is asked for. */
const parts = { settling: "settling", gone: "gone" } as const;

/** A run of a job, and what it has taken away: each file by its path in the data folder. */
export class Trash {
  /** The name of the run. */
  readonly run: string;
  private readonly root: string;

  constructor(root: string, run: string) {
    this.root = root;
    this.run = run;
  }

  /** Takes a file away. False: it is gone. */
  take(path: string): boolean {
    return move(join(this.root, path), this.at("settling", path));
  }

  /** Where a file is that was taken away. */
  at(part: keyof typeof parts, path = ""): string {
    return join(this.root, trashFolder, this.run, parts[part], path);
  }

  /** Puts back what was taken away last, unless another file is there. */
  giveBack(path: string): void {
    moveUnlessTaken(this.at("settling", path), join(this.root, path));
  }

  /** What was taken away is gone. */
  keep(path: string): void {
    move(this.at("settling", path), this.at("gone", path));
  }

  /** Removes the folders that nothing is left in. */
  tidy(): void {
    for (const part of [parts.settling, parts.gone]) {
      const folder = join(this.root, trashFolder, this.run, part);
      if (filesBelow(folder).next().done === true) rmSync(folder, { recursive: true, force: true });
    }
    removeEmpty(join(this.root, trashFolder, this.run));
  }
}

export interface Run {
  readonly name: string;
  /** When it began, as a time in milliseconds. */
  readonly began: number;
}

/** The name of a run that begins. Two can't begin in one millisecond, as jobs don't overlap. */
export function nameOfRun(began: Date): string {
  return began.toISOString().replaceAll(/[-:.]/g, "");
}

/** When a run began, by its name; undefined if it is none. */
export function beginOfRun(name: string): number | undefined {
  const [, date, hours, minutes, seconds, rest] = /^(\d{8})T(\d\d)(\d\d)(\d\d)(\d{3})Z$/.exec(name) ?? [];
  if (date === undefined) return undefined;
  const day = `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}`;
  return Date.parse(`${day}T${hours ?? ""}:${minutes ?? ""}:${seconds ?? ""}.${rest ?? ""}Z`);
}

/** The runs that something can be put back from, the earliest first. */
export function runsIn(root: string): Run[] {
  return foldersIn(join(root, trashFolder))
    .sort()
    .flatMap((name) => {
      const began = beginOfRun(name);
      return began === undefined ? [] : [{ name, began }];
    });
}

/** Puts back what killed runs were just taking away. Returns the paths. */
export function recover(root: string): string[] {
  const back: string[] = [];
  for (const { name } of runsIn(root)) {
    const trash = new Trash(root, name);
    for (const path of [...filesBelow(trash.at("settling"))].sort(blobsFirst)) {
      trash.giveBack(path);
      back.push(path);
    }
    trash.tidy();
  }
  return back;
}

/**
 * Puts back all that a run has taken away, unless it is there again. It counts as new, so that the next collection
 * doesn't take it at once. Returns the paths.
 */
export function undoRun(root: string, run: string): string[] {
  const trash = new Trash(root, run);
  const paths = [...filesBelow(trash.at("gone"))].sort(blobsFirst);
  for (const path of paths) {
    const file = trash.at("gone", path);
    if (basename(path) === "link") renew(file, path);
    moveUnlessTaken(file, join(root, path));
  }
  trash.tidy();
  return paths;
}

/** A link counts as new, and isn't condemned any more. The age of a tag's own link says when it was pushed. */
function renew(file: string, path: string): void {
  withFile(file, (open, { mode }) => {
    const now = new Date();
    if (!path.includes("/_manifests/tags/")) futimesSync(open, now, now);
    fchmodSync(open, mode & ~0o111);
  });
}

/** What a link names must be there before the link is: blobs, layers, revisions, tags. */
function blobsFirst(one: string, other: string): number {
  const order = ["/blobs/", "/_layers/", "/_manifests/revisions/", "/_manifests/tags/"];
  const rank = (path: string) => order.findIndex((part) => path.includes(part));
  return rank(one) - rank(other);
}

/** Removes for good what runs before a time have taken away. Returns the bytes of it. */
export function emptyTrash(root: string, before: number): number {
  let bytes = 0;
  for (const { name } of runsIn(root).filter(({ began }) => began < before)) {
    const folder = new Trash(root, name).at("gone");
    for (const path of filesBelow(folder)) {
      const size = statOf(join(folder, path))?.size ?? 0;
      if (basename(path) === "data") bytes += size;
      remove(join(folder, path));
    }
    rmSync(dirname(folder), { recursive: true, force: true });
  }
  return bytes;
}

/** Puts a blob back that is needed after all, from whatever run took it. Returns whether one had. */
export function restoreBlob(root: string, hex: string): boolean {
  const path = blobData(hex);
  return runsIn(root).some(({ name }) => {
    const file = new Trash(root, name).at("gone", path);
    if (statOf(file) === undefined) return false;
    moveUnlessTaken(file, join(root, path));
    return true;
  });
}
