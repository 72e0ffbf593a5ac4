// The keeper: looks after the registry's data, in a container of its own beside it. It watches the disk all the time, and
// collects on a schedule. It can be killed at any moment, and goes on where it was.
//   node keeper.ts FOLDER    the folder of the program and its settings

import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { collect, empty, recoverNow } from "./collect.ts";
import { guard, type State, withdraw } from "./guard.ts";
import { Busy } from "./lock.ts";
import { type JobResult, readResult, recorded } from "./results.ts";
import { nextAfter, parseSchedule } from "./schedule.ts";
import { readSettings } from "./settings.ts";
import { settle } from "./times.ts";

const { root, grace, undo, levels, ...settings } = readSettings(process.argv[2] ?? "");
const schedule = settings.collect === undefined ? undefined : parseSchedule(settings.collect);

for (const signal of ["SIGTERM", "SIGINT"] as const)
  process.once(signal, () => {
    withdraw(root);
    process.exit();
  });
// The proxy, in the same group, looks for some of its files.
process.umask(0o027);
// The health check looks at the file's time. A collection lets this run now and then.
setInterval(() => writeFileSync("/tmp/alive", ""), 1000);

/** What somebody may have begun to rely on while it was being taken away, when this program was killed. */
await untilFree(() => recoverNow(root));
let next = nextTime(readResult(root, "collect"));
const wanted = { empty: false };
void watchDisk();

for (;;) {
  await sleep(1000);
  if (next !== undefined && next <= new Date()) {
    await untilFree(collectAsScheduled);
    next = nextTime(undefined);
  } else if (wanted.empty) {
    wanted.empty = false;
    await untilFree(async () => tell({ job: "empty", bytes: await empty(root) }));
  }
}

/** When the next collection is due: also one that was missed while nothing ran. */
function nextTime(last: JobResult | undefined): Date | undefined {
  const now = new Date();
  const began = last === undefined ? now : new Date(last.began);
  // A time that lies ahead was written by a clock that was wrong.
  return schedule && nextAfter(schedule, began < now ? began : now);
}

async function collectAsScheduled(): Promise<void> {
  // The first one of a stack only tells what it would do, for somebody to look at before anything goes.
  const last = readResult(root, "collect");
  const isDry = last === undefined || (last.isDry && last.result === "failed");
  const run = () => collect({ root, grace, undo, settle: settle.default, isDry });
  await recorded(root, "collect", isDry, run, (result) => console.log(JSON.stringify(result)));
}

/** Does something once no other job is at work on the data. A failure is told, and the keeper goes on. */
async function untilFree(job: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await job();
      return;
    } catch (error) {
      if (!(error instanceof Busy)) return tell({ failed: String(error) });
      await sleep(10_000);
    }
  }
}

/** What was taken away and can be put back is the first to go when the disk gets full. */
async function watchDisk(): Promise<never> {
  let state: State | undefined;
  for (;;) {
    try {
      state = await guard({ root, ...levels }, state, (event) => {
        tell(event);
        if ("level" in event && event.level !== "ok") wanted.empty = true;
      });
      await sleep(state.pause);
    } catch (error) {
      tell({ failed: String(error) });
      await sleep(1000);
    }
  }
}

function tell(what: object): void {
  console.log(JSON.stringify({ at: new Date().toISOString(), ...what }));
}
