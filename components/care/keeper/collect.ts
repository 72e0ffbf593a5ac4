import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { condemnBlob, condemnLink, linkOf, spareBlob, spareLink } from "./condemn.ts";
import { removeRepository, removeRest } from "./emptyFolders.ts";
import { namesIn, probe, statOf } from "./files.ts";
import { blobData, blobsFolder, keeperFolder, layersOf, repositoriesFolder, revisionsOf } from "./layout.ts";
import { whileLocked } from "./lock.ts";
import { type Blobs, fateOf, type Link, listBlobs, markRepository } from "./mark.ts";
import { Pace } from "./pace.ts";
import { repositoriesIn } from "./repositories.ts";
import { type Sweep, sweepBlobs, sweepLink } from "./sweep.ts";
import { shortGrace } from "./times.ts";
import { emptyTrash, nameOfRun, recover, restoreBlob, runsIn, Trash, undoRun } from "./trash.ts";
import { activeRepositories, longestUpload } from "./uploads.ts";

/** All times in seconds. */
export interface Order {
  /** The data folder. */
  readonly root: string;
  /** How long what nothing needs is left where it is: longer than any push takes. */
  readonly grace: number;
  /** How long what has just gone is watched. */
  readonly settle: number;
  /** How long what went can be put back. */
  readonly undo: number;
  /** Whether nothing goes of a repository to which somebody may be pushing. Default: false; the grace is longer than that. */
  readonly sparesActive?: boolean | undefined;
  /** Whether nothing is changed, and only told. Default: false. */
  readonly isDry?: boolean | undefined;
}

/** What is told while a job runs. */
export type Event =
  | { readonly step: "blobs" | "repositories" | "sweep" | "waiting"; readonly done: number; readonly of?: number }
  | { readonly deed: Deed; readonly blob: string; readonly repository?: string; readonly why: string };

/** What is done to a blob or a link; a dry run tells it all the same. */
export type Deed = "condemn" | "spare" | "take" | "put back";

export type Tell = (event: Event) => void;

export interface Summary {
  /** The name of the run, to undo it. */
  readonly run: string;
  readonly blobs: Counts;
  readonly links: Counts;
  /** The bytes of the blobs that went. */
  readonly bytes: number;
  /** What a killed run had taken away, what came back as it is needed after all, and what an earlier run's trash had. */
  readonly recovered: number;
  readonly restored: number;
  readonly emptied: number;
  /** Blobs that a manifest names and nobody has. */
  readonly missing: number;
  readonly repositories: readonly { readonly name: string; readonly bytes: number; readonly manifests: number }[];
  readonly removedRepositories: readonly string[];
}

export interface Counts {
  all: number;
  condemned: number;
  spared: number;
  gone: number;
  putBack: number;
}

/** File times have ticks, and may lag behind the clock: this much is taken for the same time, in milliseconds. */
const slack = 1000;

/**
 * Takes away what no manifest needs, while the registry goes on serving: in this run what an earlier one condemned a grace
 * ago; and condemns what it finds now. It may be killed at any moment, and the next run goes on.
 */
export function collect(order: Order, tell: Tell = () => undefined): Promise<Summary> {
  return whileLocked(order.root, () => collectOnce(order, tell));
}

/**
 * The same at once, for somebody who waits: with a short grace between two runs.
 *
 * @param grace Default: as long as pushes under way need.
 */
export function collectNow(
  order: Omit<Order, "grace">,
  tell: Tell = () => undefined,
  grace = shortGrace(longestUpload(order.root, Date.now())),
): Promise<readonly [Summary, Summary]> {
  return whileLocked(order.root, async () => {
    // A push may have sent layers long before, and still send others: where one may be under way, nothing goes.
    const quick = { ...order, grace, sparesActive: true };
    const first = await collectOnce(quick, tell);
    // What was condemned last must be older than the grace.
    const end = Date.now() + grace * 1000 + 2 * slack;
    for (let now = Date.now(); now < end; now = Date.now()) {
      tell({ step: "waiting", done: Math.max(0, Math.round(grace - (end - now) / 1000)), of: grace });
      await sleep(Math.min(1000, end - now));
    }
    return [first, await collectOnce(quick, tell)];
  });
}

/** Puts back what a run that was killed was just taking away. Returns the paths. */
export function recoverNow(root: string): Promise<string[]> {
  return whileLocked(root, () => Promise.resolve(recover(root)));
}

/** Puts back all that a run took away. Returns the paths. */
export function undo(root: string, run: string): Promise<string[]> {
  return whileLocked(root, async () => {
    await Promise.resolve(recover(root));
    const runs = runsIn(root).map(({ name }) => name);
    if (!runs.includes(run)) {
      const others = runs.length === 0 ? "nor any other" : `but ${runs.join(", ")}`;
      throw new Error(`there is no run ${run} to undo, ${others}`);
    }
    return undoRun(root, run);
  });
}

/** Removes for good what all runs have taken away. Returns the bytes of it. */
export function empty(root: string): Promise<number> {
  return whileLocked(root, async () => {
    recover(root);
    await restoreNeeded(root);
    return emptyTrash(root, Infinity);
  });
}

/** Brings back what a manifest names, or a link leads to, and only the trash has. */
async function restoreNeeded(root: string): Promise<void> {
  const pace = new Pace();
  const blobs = await listBlobs(root, pace);
  const restore = (hex: string) => restoreBlob(root, hex);
  for (const name of repositoriesIn(root)) {
    const { missing } = await markRepository(root, name, blobs, { young: 0, restore, pace });
    for (const hex of missing) restore(hex);
  }
}

async function collectOnce(order: Order, tell: Tell): Promise<Summary> {
  const { root, isDry = false } = order;
  const now = Date.now();
  const recovered = isDry ? [] : recover(root);
  refuseStrange(root);
  if (!isDry) probe(join(root, keeperFolder));
  const active = order.sparesActive === true ? activeRepositories(root, now) : undefined;

  const pace = new Pace();
  const young = now - slack - order.grace * 1000;
  const idle = young - order.undo * 1000;
  const restored = new Set<string>();
  const restore = (hex: string) => {
    const isBack = !isDry && restoreBlob(root, hex);
    if (isBack) restored.add(hex);
    return isBack;
  };

  const blobs = await listBlobs(root, pace);
  tell({ step: "blobs", done: blobs.digests.size });
  const counts = { blobs: noCounts(blobs.digests.size), links: noCounts(0) };
  const act = actions(order, young, counts, tell);

  const repositories: { name: string; bytes: number; manifests: number }[] = [];
  const due: Link[] = [];
  let missing = 0;
  const names = [...repositoriesIn(root)];
  for (const [done, name] of names.entries()) {
    tell({ step: "repositories", done, of: names.length });
    const {
      links,
      bytes,
      manifests,
      missing: lost,
    } = await markRepository(root, name, blobs, { young, restore, pace, isActive: active?.has(name) });
    if (manifests > 0) repositories.push({ name, bytes, manifests });
    missing += lost.filter((hex) => !restored.has(hex) && !restore(hex)).length;
    for (const link of links) {
      act.onLink(link);
      if (link.fate === "sweep") due.push(link);
    }
  }
  tell({ step: "repositories", done: names.length, of: names.length });

  // Only now, as what a manifest turned out to need has come back from there.
  const emptied = isDry ? 0 : emptyTrash(root, now - order.undo * 1000);
  const dueBlobs = act.onBlobs(blobs);
  const run = nameOfRun(new Date());
  let bytes = 0;
  if (isDry) {
    for (const hex of dueBlobs) bytes += blobs.sizes[blobs.digests.indexOf(hex)] ?? 0;
  } else {
    const trash = new Trash(root, run);
    const sweep = { root, trash, young, settle: order.settle };
    bytes = await sweepAll(sweep, blobs, { dueBlobs, due }, counts, tell);
    trash.tidy();
  }
  const removed = isDry ? [] : await tidy(root, names, { idle, young }, pace);
  return {
    ...{ run, ...counts, bytes, emptied, missing, repositories },
    ...{ recovered: recovered.length, restored: restored.size, removedRepositories: removed },
  };
}

/** Blobs without any repository: the data folder is not what it should be, and all would be condemned. */
function refuseStrange(root: string): void {
  const hasBlobs = namesIn(join(root, blobsFolder)).length > 0;
  if (hasBlobs && statOf(join(root, repositoriesFolder)) === undefined) {
    throw new Error(`there are blobs, but no folder ${repositoriesFolder}: nothing was changed`);
  }
}

function noCounts(all: number): Counts {
  return { all, condemned: 0, spared: 0, gone: 0, putBack: 0 };
}

/** Condemns and spares, or only tells so. */
function actions({ root, isDry = false }: Order, young: number, counts: { blobs: Counts; links: Counts }, tell: Tell) {
  return {
    onLink({ repository, hex, fate }: Link): void {
      counts.links.all++;
      const link = { blob: hex, repository };
      if (fate === "condemn" && (isDry || condemnLink(root, { repository, hex }, young))) {
        counts.links.condemned++;
        tell({ deed: "condemn", ...link, why: "no manifest of this repository names it" });
      } else if (fate === "spare") {
        counts.links.spared++;
        if (!isDry) spareLink(join(root, linkOf(repository, hex)));
        tell({ deed: "spare", ...link, why: "a manifest of this repository names it again" });
      }
    },

    /** Returns those that are due. */
    onBlobs(blobs: Blobs): string[] {
      const due: string[] = [];
      for (let index = 0; index < blobs.digests.size; index++) {
        const fate = fateOf(blobs, index, young);
        if (fate === "keep" || fate === "wait") continue;
        const blob = blobs.digests.hexOf(index);
        if (fate === "sweep") due.push(blob);
        if (fate === "condemn") {
          counts.blobs.condemned++;
          if (!isDry) condemnBlob(root, blob);
          tell({ deed: "condemn", blob, why: "no manifest names it" });
        }
        if (fate === "spare") {
          counts.blobs.spared++;
          if (!isDry) spareBlob(root, blob);
          tell({ deed: "spare", blob, why: "it is needed again" });
        }
        if (isDry && fate === "sweep") tell({ deed: "take", blob, why: "no manifest has named it for the grace" });
      }
      return due;
    },
  };
}

/** Takes away what is due. Returns the bytes of the blobs that went. */
async function sweepAll(
  sweep: Sweep,
  blobs: Blobs,
  { dueBlobs, due }: { dueBlobs: readonly string[]; due: readonly Link[] },
  counts: { blobs: Counts; links: Counts },
  tell: Tell,
): Promise<number> {
  let bytes = 0;
  let done = 0;
  await sweepBlobs(sweep, dueBlobs, (blob, became) => {
    tell({ step: "sweep", done: ++done, of: dueBlobs.length });
    if (became === "put back") {
      counts.blobs.putBack++;
      tell({ deed: "put back", blob, why: "a push links it just now" });
    }
    if (became !== "gone") return;
    counts.blobs.gone++;
    bytes += blobs.sizes[blobs.digests.indexOf(blob)] ?? 0;
    tell({ deed: "take", blob, why: "no manifest has named it for the grace" });
  });
  const pace = new Pace();
  for (const link of due) {
    // A blob that waits is watched by its links, whose folders are not to change.
    const index = blobs.digests.indexOf(link.hex);
    const waits =
      index >= 0 && blobs.isNamed[index] === false && statOf(join(sweep.root, blobData(link.hex))) !== undefined;
    const became = waits ? "skipped" : sweepLink(sweep, link);
    if (became === "put back") counts.links.putBack++;
    if (became === "gone") {
      counts.links.gone++;
      tell({
        deed: "take",
        blob: link.hex,
        repository: link.repository,
        why: "no manifest of this repository has named it for the grace",
      });
    }
    await pace.breathe();
  }
  return bytes;
}

/** Removes the folders that are empty. Returns the repositories among them. */
async function tidy(
  root: string,
  names: readonly string[],
  { idle, young }: { idle: number; young: number },
  pace: Pace,
): Promise<string[]> {
  for (const shard of namesIn(join(root, blobsFolder))) {
    for (const hex of namesIn(join(root, blobsFolder, shard))) {
      const folder = join(root, blobsFolder, shard, hex);
      if (statOf(join(folder, "data")) === undefined) removeRest(folder, idle);
    }
    await pace.breathe();
  }
  const removed: string[] = [];
  // The innermost first.
  for (const name of [...names].reverse()) {
    for (const links of [layersOf(name), revisionsOf(name)].map((folder) => join(root, folder))) {
      for (const hex of namesIn(links)) {
        if (statOf(join(links, hex, "link")) === undefined) removeRest(join(links, hex), idle);
      }
      await pace.breathe();
    }
    if (removeRepository(root, name, young)) removed.push(name);
  }
  return removed;
}
