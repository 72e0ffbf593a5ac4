import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { Arrivals } from "./arrivals.ts";
import { linkOf, spareBlob } from "./condemn.ts";
import { statOf } from "./files.ts";
import { blobData } from "./layout.ts";
import { isCondemned } from "./mark.ts";
import { Pace } from "./pace.ts";
import type { Trash } from "./trash.ts";

export interface Sweep {
  readonly root: string;
  readonly trash: Trash;
  /** What is as new as that may be part of a push under way. */
  readonly young: number;
  /** How long what has just gone is watched, in seconds. */
  readonly settle: number;
}

/** How many blobs are watched at a time: a look at all takes milliseconds. */
const together = 500;
/** Between two looks at those that are watched, in milliseconds. */
const pause = 20;

/** What became of a blob that was due. */
export type Swept = "gone" | "skipped" | "put back";

/**
 * Takes blobs away that nothing needs. A push that found the data just before it went links it just after: so the keeper
 * looks for links right before and right after each, goes on looking for a while, and puts back what is linked.
 *
 * @param told Called with what became of each.
 */
export async function sweepBlobs(
  { root, trash, young, settle }: Sweep,
  due: readonly string[],
  told: (hex: string, became: Swept) => void,
): Promise<void> {
  const arrivals = new Arrivals(root, new Set(due), young);
  const pace = new Pace();
  for (let from = 0; from < due.length; from += together) {
    const watched = new Set<string>();
    const putBack = (hex: string) => {
      trash.giveBack(blobData(hex));
      spareBlob(root, hex);
      watched.delete(hex);
      told(hex, "put back");
    };
    let looked = Date.now();
    const watch = () => {
      for (const hex of arrivals.among(watched)) if (watched.has(hex)) putBack(hex);
      looked = Date.now();
    };

    for (const hex of due.slice(from, from + together)) {
      if (arrivals.has(hex) || !trash.take(blobData(hex))) {
        told(hex, "skipped");
        continue;
      }
      watched.add(hex);
      if (arrivals.has(hex)) putBack(hex);
      if (Date.now() - looked >= pause) watch();
      await pace.breathe();
    }
    for (const end = Date.now() + settle * 1000; Date.now() < end && watched.size > 0; await sleep(pause)) watch();
    watch();
    for (const hex of watched) {
      trash.keep(blobData(hex));
      spareBlob(root, hex);
      told(hex, "gone");
    }
  }
}

/**
 * Takes a link away that its repository doesn't need, unless it has just been written again. A push that is about to
 * write it doesn't care whether it is there.
 */
export function sweepLink(
  { root, trash, young }: Sweep,
  { repository, hex }: { repository: string; hex: string },
): Swept {
  const path = linkOf(repository, hex);
  const isDue = (file: string) => {
    const stats = statOf(file);
    return stats !== undefined && isCondemned(stats) && stats.mtimeMs < young;
  };
  if (!isDue(join(root, path)) || !trash.take(path)) return "skipped";
  if (isDue(trash.at("settling", path))) {
    trash.keep(path);
    return "gone";
  }
  trash.giveBack(path);
  return "put back";
}
