import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import type { Stack } from "../stack.ts";
import { exists } from "./files.ts";

/** What `make trust` wrote to a file, and what has to be there after `make untrust`. */
export interface Entry {
  /** The texts of ours that may be in it: a killed run has written the earlier or the later one. */
  readonly ours: readonly string[];
  /** Null: there was no file. */
  readonly before: string | null;
  /** Whether ours is only a part of the file, and others may change the rest. */
  readonly isShared: boolean;
  /** The folders around it that `make trust` created, for whichever stack. */
  readonly folders: readonly string[];
}

/** By the path of the file. */
export type TrustRecord = Map<string, Entry>;

const folder = join(".state", "trust");

function fileOf({ name }: Pick<Stack, "name">): string {
  return join(folder, `${name}.json`);
}

export function readRecord(stack: Pick<Stack, "name">): TrustRecord {
  return exists(fileOf(stack)) ? parseRecord(fileOf(stack)) : new Map<string, Entry>();
}

function parseRecord(file: string): TrustRecord {
  return new Map(JSON.parse(readFileSync(file, "utf8")) as [string, Entry][]);
}

export function writeRecord(stack: Pick<Stack, "name">, record: TrustRecord): void {
  const file = fileOf(stack);
  if (record.size === 0) {
    rmSync(file, { force: true });
    return;
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, JSON.stringify([...record], undefined, 2), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** The folders around a file that don't exist, or didn't before `make trust`. */
export function foldersToRemove(file: string): string[] {
  const records = exists(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
  const ours = records.flatMap((name) => [...parseRecord(join(folder, name)).values()].flatMap((each) => each.folders));
  return around(file).filter((each) => ours.includes(each) || !exists(each));
}

/** `/a/b` and `/a` for `/a/b/c` */
function around(path: string): string[] {
  const parent = dirname(path);
  return parent === dirname(parent) ? [] : [parent, ...around(parent)];
}

/**
 * The text of a file without what `make trust` wrote; null if the file goes; undefined if somebody has changed ours since,
 * so that nothing can be taken out.
 */
export function withoutOurs({ ours, before, isShared }: Entry, now: string): string | null | undefined {
  if (!isShared) return now === before || ours.includes(now) ? before : undefined;
  const rest = ours.reduce(cut, now);
  if (ours.some((text) => rest.includes(headOf(text)))) return undefined;
  return rest === "" && before !== "" ? null : rest;
}

function headOf(text: string): string {
  return text.trimStart().split("\n")[0] ?? "";
}

function cut(text: string, ours: string): string {
  const at = text.indexOf(ours);
  if (at < 0) return text;
  const after = text.slice(at + ours.length);
  // Ours begins with the end of the line before it, if that had none.
  const joint = ours.startsWith("\n") && after !== "" ? "\n" : "";
  return text.slice(0, at) + joint + after;
}

/** The text that is appended to a file for a block. */
export function appended(now: string, block: string): string {
  return now === "" || now.endsWith("\n") ? block : `\n${block}`;
}
