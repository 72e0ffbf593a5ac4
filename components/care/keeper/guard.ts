import { closeSync, mkdirSync, openSync, statfsSync } from "node:fs";
import { join } from "node:path";

import { remove, statOf } from "./files.ts";
import { fullFile, keeperFolder } from "./layout.ts";
import { type Disk, isAtLeast, type Level, levelOf, type Limits, pauseAt, uploadsToStop, usedOf } from "./levels.ts";
import { Pace } from "./pace.ts";
import { abandoned, removeUpload, stopUpload, truncateStopped, type Upload, uploadsIn } from "./uploads.ts";

export interface Watch extends Limits {
  /** The data folder. */
  readonly root: string;
}

/** What one look leaves to the next. */
export interface State {
  readonly level: Level;
  /** How long to wait until the next look, in milliseconds. */
  readonly pause: number;
  /** When the uploads are to be looked through again, a time in milliseconds. */
  readonly due: number;
}

/** What is told. */
export type GuardEvent =
  /** `used` in percent, `free` in bytes. */
  | { readonly level: Level; readonly before: Level; readonly used: number; readonly free: number }
  /** An upload that was stopped because the disk is full, or was removed as it is abandoned. */
  | { readonly deed: "stop" | "remove"; readonly upload: string; readonly repository: string; readonly bytes: number };

/** How often abandoned uploads are looked for, in milliseconds. */
const rounds = 600_000;

/**
 * Looks once at the disk, and does what its level needs. A loop calls it again and again: each time with what it returned
 * the last time, and after the pause that it asked for. It may be killed at any moment, and the next call goes on.
 *
 * @param state Undefined at first.
 * @param ask Tells how full the disk of a folder is. Default: as the system says.
 */
export async function guard(
  { root, ...limits }: Watch,
  state: State | undefined,
  tell: (event: GuardEvent) => void,
  ask = askDisk,
): Promise<State> {
  const now = Date.now();
  truncateStopped(root, now);
  const disk = ask(root);
  const before = state?.level ?? (statOf(join(root, fullFile)) === undefined ? "ok" : "stop");
  const level = levelOf(disk, limits, before);
  if (level !== before) tell({ level, before, used: Math.round(usedOf(disk)), free: disk.bytes.free });
  // Where no file can be made any more, room comes first.
  const unannounced = attempt(() => announce(root, isAtLeast(level, "stop")));

  let due = state?.due ?? now;
  if (level !== before || now >= due) {
    const uploads = await removeAbandoned(root, now, tell);
    if (level === "last") {
      for (const upload of uploadsToStop(ask(root), limits, uploads)) {
        stopUpload(root, upload);
        tellOf("stop", upload, tell);
      }
    }
    // Where there are many repositories, it takes a while.
    const took = Date.now() - now;
    due = now + (level === "last" ? 4 * took : rounds);
  }
  if (unannounced !== undefined) announce(root, isAtLeast(level, "stop"));
  return { level, pause: pauseAt(ask(root)), due };
}

/** Returns what an action threw; undefined if nothing. */
function attempt(action: () => void): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Has the proxy refuse nothing any more, as nobody looks from now on. */
export function withdraw(root: string): void {
  announce(root, false);
}

function askDisk(root: string): Disk {
  const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(root);
  // Some blocks are kept for root: nobody else can use them.
  const all = (blocks - bfree + bavail) * bsize;
  return { bytes: { all, free: bavail * bsize }, files: { all: files, free: ffree } };
}

/** Tells the proxy whether the disk is full. */
function announce(root: string, isFull: boolean): void {
  const file = join(root, fullFile);
  if (!isFull) remove(file);
  else if (statOf(file) === undefined) {
    mkdirSync(join(root, keeperFolder), { recursive: true });
    closeSync(openSync(file, "w"));
  }
}

/** Returns the other uploads. */
async function removeAbandoned(root: string, now: number, tell: (event: GuardEvent) => void): Promise<Upload[]> {
  const pace = new Pace();
  const others: Upload[] = [];
  for (const upload of uploadsIn(root)) {
    await pace.breathe();
    if (now - upload.written <= abandoned) {
      others.push(upload);
      continue;
    }
    removeUpload(root, upload);
    if (upload.began !== undefined || upload.bytes > 0) tellOf("remove", upload, tell);
  }
  return others;
}

function tellOf(deed: "stop" | "remove", { id, repository, bytes }: Upload, tell: (event: GuardEvent) => void): void {
  tell({ deed, upload: id, repository, bytes });
}
