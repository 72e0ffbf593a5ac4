import { rmSync, truncateSync } from "node:fs";
import { join } from "node:path";

import { move, namesIn, remove, statOf, unless } from "./files.ts";
import { repositoriesFolder, stoppedFolder } from "./layout.ts";
import { repositoriesIn } from "./repositories.ts";

/** An upload that nobody has written to for that long is abandoned, in milliseconds. */
export const abandoned = 3600_000;

/** A push of a blob that isn't done, or what is left of it. Times in milliseconds. */
export interface Upload {
  readonly repository: string;
  readonly id: string;
  /** Undefined for what is left of one that was stopped. */
  readonly began: number | undefined;
  readonly written: number;
  /** What it takes on the disk. */
  readonly bytes: number;
}

export function* uploadsIn(root: string): Generator<Upload> {
  for (const repository of repositoriesIn(root)) {
    for (const id of namesIn(join(root, uploadsOf(repository)))) {
      const folder = join(root, uploadsOf(repository), id);
      const [begin, data, own] = ["startedat", "data", ""].map((name) => statOf(join(folder, name)));
      if (own === undefined) continue;
      const written = (data ?? own).mtimeMs;
      yield { repository, id, began: begin?.mtimeMs, written, bytes: (data?.blocks ?? 0) * 512 };
    }
  }
}

function uploadsOf(repository: string): string {
  return `${repositoriesFolder}/${repository}/_uploads`;
}

/** How long the longest upload under way has taken so far, in seconds. */
export function longestUpload(root: string, now: number): number {
  let longest = 0;
  for (const { began, written } of uploadsIn(root)) {
    if (began === undefined || now - written > abandoned) continue;
    longest = Math.max(longest, (now - began) / 1000);
  }
  return longest;
}

/** How long after its last blob a push may still send its manifest, if nobody waits for it, in milliseconds. */
const quiet = 15 * 60_000;

/** The repositories in which an upload is under way, or one has begun or ended within a quarter of an hour. */
export function activeRepositories(root: string, now: number): Set<string> {
  const active = new Set<string>();
  for (const { repository, written } of uploadsIn(root)) if (now - written <= abandoned) active.add(repository);
  for (const repository of repositoriesIn(root)) {
    if (now - (statOf(join(root, uploadsOf(repository)))?.mtimeMs ?? 0) < quiet) active.add(repository);
  }
  return active;
}

/**
 * Ends an upload, whoever is writing to it, and frees its room. The client gets an error when it has sent all.
 *
 * The registry believes that what it has written is there: it would take a file that is truncated under it for the whole
 * blob, and serve a hole. So the file first goes where the registry doesn't find it, and what it is to make a blob of
 * isn't there. If it was quicker, it has the whole file, and there is none to truncate.
 */
export function stopUpload(root: string, { repository, id }: Pick<Upload, "repository" | "id">): void {
  const folder = join(root, uploadsOf(repository), id);
  // Without this, no other request goes on with the upload. It comes first: what has data is found again.
  remove(join(folder, "startedat"));
  const stopped = join(root, stoppedFolder, id);
  // The data of a repository that a symbolic link leads to may be on another disk.
  if (unless(["EXDEV"], () => move(join(folder, "data"), stopped)) === true) truncateSync(stopped);
}

/** The registry goes on writing to an upload that was stopped until its client has sent all: that goes, too. */
export function truncateStopped(root: string, now: number): void {
  for (const id of namesIn(join(root, stoppedFolder))) {
    const path = join(root, stoppedFolder, id);
    const { size, mtimeMs } = statOf(path) ?? { size: 0, mtimeMs: now };
    if (size > 0) truncateSync(path);
    else if (now - mtimeMs > abandoned) remove(path);
  }
}

/** Removes an upload with all that is left of it. */
export function removeUpload(root: string, upload: Pick<Upload, "repository" | "id">): void {
  stopUpload(root, upload);
  remove(join(root, stoppedFolder, upload.id));
  const folder = join(root, uploadsOf(upload.repository), upload.id);
  unless(["ENOTEMPTY"], () => rmSync(folder, { recursive: true, force: true }));
}
