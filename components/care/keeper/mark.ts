import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Digests, findDigests } from "./digests.ts";
import { foldersIn, namesIn, statOf, unless } from "./files.ts";
import { type Fate, fateOfBlob, fateOfLink } from "./judge.ts";
import { blobData, blobMarker, blobsFolder, isHex, layersOf, repositoriesFolder, revisionsOf } from "./layout.ts";
import type { Pace } from "./pace.ts";

/** Each blob on the disk: its number is the place in the lists. */
export interface Blobs {
  readonly digests: Digests;
  readonly sizes: number[];
  /** When the data was written. */
  readonly written: number[];
  /** When it was condemned; NaN: it isn't. */
  readonly condemned: number[];
  readonly isNamed: boolean[];
  /** The newest link that is not condemned; NaN: none. */
  readonly linked: number[];
  /** Whether a link to it is not due. */
  readonly isHeld: boolean[];
}

export interface Link {
  readonly repository: string;
  readonly hex: string;
  readonly fate: Fate;
}

export interface Repository {
  readonly name: string;
  /** The bytes of all blobs that its manifests name, each counted once. */
  readonly bytes: number;
  readonly manifests: number;
  /** The links to layers that no manifest here names, or that are condemned. */
  readonly links: readonly Link[];
  /** The digests, by their digits, that a manifest names or a push has just linked, and that aren't on the disk. */
  readonly missing: readonly string[];
}

/** A link whose owner may execute it is condemned. */
export function isCondemned({ mode }: { readonly mode: number }): boolean {
  return (mode & 0o100) !== 0;
}

/** Lists the blobs before anything that may name them is read, so that what comes meanwhile is no candidate. */
export async function listBlobs(root: string, pace: Pace): Promise<Blobs> {
  const blobs: Blobs = {
    digests: new Digests(),
    ...{ sizes: [], written: [], condemned: [], isNamed: [], linked: [], isHeld: [] },
  };
  for (const shard of namesIn(join(root, blobsFolder))) {
    for (const hex of namesIn(join(root, blobsFolder, shard)).filter(isHex)) {
      const data = statOf(join(root, blobData(hex)));
      if (data === undefined) continue;
      blobs.digests.add(hex);
      blobs.sizes.push(data.size);
      blobs.written.push(data.mtimeMs);
      blobs.condemned.push(statOf(join(root, blobMarker(hex)))?.mtimeMs ?? NaN);
      blobs.isNamed.push(false);
      blobs.linked.push(NaN);
      blobs.isHeld.push(false);
    }
    await pace.breathe();
  }
  return blobs;
}

export function fateOf(blobs: Blobs, index: number, young: number): Fate {
  const known = (value: number | undefined) => (value === undefined || Number.isNaN(value) ? undefined : value);
  return fateOfBlob(
    {
      isNamed: blobs.isNamed[index] ?? true,
      written: blobs.written[index] ?? Infinity,
      linked: known(blobs.linked[index]),
      condemned: known(blobs.condemned[index]),
      isFree: !(blobs.isHeld[index] ?? true),
    },
    young,
  );
}

/**
 * Finds what a repository needs, and tells the blobs.
 *
 * @param young What is as new as that may be part of a push under way.
 * @param isActive Whether somebody may be pushing to it, so that all its links count as new. Default: false.
 * @param restore Brings a blob back that is needed and isn't on the disk. Returns whether it could.
 */
export async function markRepository(
  root: string,
  name: string,
  blobs: Blobs,
  {
    young,
    restore,
    pace,
    isActive = false,
  }: { young: number; restore: (hex: string) => boolean; pace: Pace; isActive?: boolean | undefined },
): Promise<Repository> {
  const named = new Digests();
  const missing: string[] = [];
  let bytes = 0;
  let manifests = 0;

  const need = (text: string, at = 0) => {
    const known = named.size;
    if (named.add(text, at) < known) return;
    const index = blobs.digests.indexOf(text, at);
    if (index < 0) return void missing.push(text.slice(at, at + 64));
    blobs.isNamed[index] = true;
    bytes += blobs.sizes[index] ?? 0;
  };

  // Links before manifests: a push writes them in this order.
  const layers = await linksIn(join(root, layersOf(name)), pace);
  for (const { hex, changed } of await linksIn(join(root, revisionsOf(name)), pace)) {
    const text = readManifest(root, hex, restore);
    manifests++;
    need(hex);
    note(blobs, hex, { changed, isCondemned: false, fate: "keep" });
    if (text !== undefined) {
      findDigests(text, need);
      for (const signature of signaturesOf(root, name, hex, text)) need(signature);
    }
    await pace.breathe();
  }
  for (const target of targetsOfOtherLinks(root, name)) need(target);

  const links: Link[] = [];
  for (const { hex, isCondemned, ...layer } of layers) {
    const changed = isActive ? Infinity : layer.changed;
    const facts = { isNamed: named.indexOf(hex) >= 0, changed, isCondemned };
    const fate = fateOfLink(facts, young);
    note(blobs, hex, { ...facts, fate });
    if (fate !== "keep") links.push({ repository: name, hex, fate });
    if (!isCondemned && changed >= young && blobs.digests.indexOf(hex) < 0) missing.push(hex);
  }
  return { name, bytes, manifests, links, missing };
}

interface FoundLink {
  readonly hex: string;
  readonly changed: number;
  readonly isCondemned: boolean;
}

async function linksIn(folder: string, pace: Pace): Promise<FoundLink[]> {
  const found: FoundLink[] = [];
  for (const hex of namesIn(folder).filter(isHex)) {
    const stats = statOf(join(folder, hex, "link"));
    if (stats !== undefined) found.push({ hex, changed: stats.mtimeMs, isCondemned: isCondemned(stats) });
    await pace.breathe();
  }
  return found;
}

/** Tells a blob of a link to it. */
function note({ digests, linked, isHeld }: Blobs, hex: string, link: Omit<FoundLink, "hex"> & { fate: Fate }): void {
  const index = digests.indexOf(hex);
  if (index < 0) return;
  const before = linked[index] ?? NaN;
  if (!link.isCondemned && !(before >= link.changed)) linked[index] = link.changed;
  if (link.fate !== "sweep") isHeld[index] = true;
}

/** Undefined if its data is gone. What can't be read for another reason ends the collection: it may name anything. */
function readManifest(root: string, hex: string, restore: (hex: string) => boolean): string | undefined {
  const read = () => unless(["ENOENT"], () => readFileSync(join(root, blobData(hex)), "latin1"));
  return read() ?? (restore(hex) ? read() : undefined);
}

/** Manifests of schema 1 name their signatures by links only. */
function signaturesOf(root: string, name: string, hex: string, text: string): string[] {
  if (!/"schemaVersion":\s*1\b/.test(text)) return [];
  return namesIn(join(root, revisionsOf(name), hex, "signatures/sha256")).filter(isHex);
}

/** The blobs that a repository has by a digest of another kind: such a link is never condemned. */
function targetsOfOtherLinks(root: string, name: string): string[] {
  const layers = join(root, repositoriesFolder, name, "_layers");
  const others = foldersIn(layers).filter((algorithm) => algorithm !== "sha256");
  return others.flatMap((algorithm) =>
    namesIn(join(layers, algorithm)).flatMap((digits) => {
      const link = unless(["ENOENT", "ENOTDIR"], () => readFileSync(join(layers, algorithm, digits, "link"), "latin1"));
      return link?.startsWith("sha256:") === true ? [link.slice("sha256:".length)] : [];
    }),
  );
}
