import { closeSync, fchmodSync, futimesSync, openSync } from "node:fs";
import { join } from "node:path";

import { remove, unless, withFile } from "./files.ts";
import { blobMarker, layersOf } from "./layout.ts";
import { isCondemned } from "./mark.ts";

export function linkOf(repository: string, hex: string): string {
  return `${layersOf(repository)}/${hex}/link`;
}

/** Condemns a blob. Its data may just have gone, and its folder with it. */
export function condemnBlob(root: string, hex: string): void {
  const file = unless(["ENOENT"], () => openSync(join(root, blobMarker(hex)), "w"));
  if (file !== undefined) closeSync(file);
}

export function spareBlob(root: string, hex: string): void {
  remove(join(root, blobMarker(hex)));
}

/** Condemns a link, unless it has been written again. False: it has, or is gone. */
export function condemnLink(
  root: string,
  { repository, hex }: { repository: string; hex: string },
  young: number,
): boolean {
  let isDone = false;
  withFile(join(root, linkOf(repository, hex)), (file, stats) => {
    if (isCondemned(stats) || stats.mtimeMs >= young) return;
    const now = new Date();
    // The time first: killed in between, it only looks new.
    futimesSync(file, now, now);
    fchmodSync(file, stats.mode | 0o100);
    isDone = true;
  });
  return isDone;
}

/** Frees a link. */
export function spareLink(path: string): void {
  withFile(path, (file, stats) => fchmodSync(file, stats.mode & ~0o111));
}
