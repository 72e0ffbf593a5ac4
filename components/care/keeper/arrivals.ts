import { join } from "node:path";

import { foldersIn, namesIn, statOf } from "./files.ts";
import { layersOf, revisionsOf } from "./layout.ts";
import { repositoriesIn } from "./repositories.ts";

/** What a folder had when it was read last. */
interface Read {
  readonly names: readonly string[];
  readonly changed: number;
  readonly at: number;
}

/** The time of a file has ticks, of two seconds on some disks: what changed that shortly before it was read may have changed once more since. */
const tick = 2500;

/**
 * Tells which blobs a push has begun to link. The registry looks for a blob's data, and if it is there, writes a link
 * in the blob's folder of the repository: first under another name. So the folder changes before the link is there, and
 * some microseconds after the registry has looked.
 */
export class Arrivals {
  private readonly root: string;
  private readonly blobs: ReadonlySet<string>;
  private readonly since: number;
  private readonly read = new Map<string, Read>();

  /**
   * @param blobs What to look for, by the digits of the digests.
   * @param since A change from this time on is an arrival.
   */
  constructor(root: string, blobs: ReadonlySet<string>, since: number) {
    this.root = root;
    this.blobs = blobs;
    this.since = since;
  }

  /** Those of some blobs that have arrived, in any repository. */
  among(blobs: ReadonlySet<string>): string[] {
    const arrived: string[] = [];
    const folders = (path: string) => this.namesIn(path, foldersIn);
    const wanted = (path: string) => namesIn(path).filter((name) => this.blobs.has(name));
    for (const repository of repositoriesIn(this.root, folders)) {
      for (const folder of [layersOf(repository), revisionsOf(repository)]) {
        const path = join(this.root, folder);
        for (const hex of this.namesIn(path, wanted)) {
          if (blobs.has(hex) && this.isNew(join(path, hex))) arrived.push(hex);
        }
      }
    }
    return arrived;
  }

  has(blob: string): boolean {
    return this.among(new Set([blob])).length > 0;
  }

  private isNew(folder: string): boolean {
    return (statOf(folder)?.mtimeMs ?? 0) >= this.since;
  }

  /** Reads a folder again only if it has changed. */
  private namesIn(folder: string, read: (folder: string) => string[]): string[] {
    const changed = statOf(folder)?.mtimeMs;
    if (changed === undefined) return [];
    const before = this.read.get(folder);
    if (before?.changed === changed && before.at - changed > tick) return [...before.names];
    const at = Date.now();
    const names = read(folder);
    this.read.set(folder, { names, changed, at });
    return names;
  }
}
