// Collects now, in the keeper's container, for somebody who waits for it.
//   node gc.ts FOLDER              as on the schedule
//   node gc.ts FOLDER --dry        only tell what would go
//   node gc.ts FOLDER --now        condemn, wait for a short grace, and take away
//   node gc.ts FOLDER --undo RUN   put back what a run took away
//   node gc.ts FOLDER --empty      remove for good what all runs took away

import { parseArgs } from "node:util";

import { collect, collectNow, empty, type Event, type Summary, undo } from "./collect.ts";
import { Busy } from "./lock.ts";
import { recorded } from "./results.ts";
import { readSettings } from "./settings.ts";
import { settle } from "./times.ts";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    dry: { type: "boolean", default: false },
    now: { type: "boolean", default: false },
    empty: { type: "boolean", default: false },
    undo: { type: "string" },
  },
});
const settings = readSettings(positionals[0] ?? "");
const { root } = settings;
// The proxy, in the same group, looks for some of its files.
process.umask(0o027);
/** When progress was shown last. */
let shown = 0;

try {
  await run();
} catch (error) {
  // Any other kind is a fault of this program or of the disk, and its place matters.
  const isTold = error instanceof Busy || (error instanceof Error && error.name === "Error" && !("code" in error));
  console.error(isTold ? error.message : error);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  if (values.undo !== undefined) {
    const paths = await undo(root, values.undo);
    console.log(`Put back ${counted(paths.length, "file")} of the run ${values.undo}.`);
  } else if (values.empty) {
    console.log(`Removed ${sized(await empty(root))} for good.`);
  } else {
    const order = { root, grace: settings.grace, undo: settings.undo, settle: settle.default, isDry: values.dry };
    const summaries = await recorded(root, "collect", values.dry, async () =>
      values.now ? collectNow(order, tell) : [await collect(order, tell)],
    );
    for (const summary of summaries) console.log(render(summary));
  }
}

/** Progress, at most once a second, and in a dry run each deed. */
function tell(event: Event): void {
  if ("deed" in event) {
    const where = event.repository === undefined ? "" : ` in ${event.repository}`;
    if (values.dry) console.error(`${event.deed} sha256:${event.blob}${where}: ${event.why}`);
    return;
  }
  const isLast = event.done === event.of;
  if (Date.now() - shown < 1000 && !isLast) return;
  shown = Date.now();
  const of = event.of === undefined ? "" : ` of ${String(event.of)}`;
  const what = event.step === "waiting" ? "seconds of the grace" : event.step;
  console.error(`▸ ${String(event.done)}${of} ${what}`);
}

function render({ run, blobs, links, bytes, emptied, missing, removedRepositories }: Summary): string {
  const went = values.dry ? "would go" : "gone";
  const lines = [
    ["", "all", "condemned", "needed again", went],
    ["blobs", blobs.all, blobs.condemned, blobs.spared, blobs.gone],
    ["links", links.all, links.condemned, links.spared, links.gone],
  ].map((cells) => cells.map((cell, i) => (i === 0 ? String(cell).padEnd(6) : String(cell).padStart(13))).join(""));
  return [
    ...lines,
    `${sized(bytes)} ${went}; ${sized(emptied)} of earlier runs removed for good.`,
    ...(removedRepositories.length === 0 ? [] : [`Empty and removed: ${removedRepositories.join(", ")}.`]),
    ...(missing === 0 ? [] : [`${counted(missing, "blob")} that a manifest names, and nobody has: see docs/care.md.`]),
    ...(blobs.gone + links.gone > 0 && !values.dry ? [`To put all of it back: make gc UNDO=${run}`] : []),
  ].join("\n");
}

function counted(number: number, what: string): string {
  return `${String(number)} ${what}${number === 1 ? "" : "s"}`;
}

function sized(bytes: number): string {
  return bytes < 1e9 ? `${String(Math.round(bytes / 1e5) / 10)} MB` : `${String(Math.round(bytes / 1e8) / 10)} GB`;
}
