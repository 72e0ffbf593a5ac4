// The keeper: looks after the registry's data, in a container of its own beside it. It watches the disk all the time, and
// collects on a schedule. It can be killed at any moment, and goes on where it was.
//   node keeper.ts FOLDER    the folder of the program and its settings

import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { collect } from "./collect.ts";
import { guard, type State, withdraw } from "./guard.ts";
import { defaultLimits } from "./levels.ts";
import { Busy } from "./lock.ts";
import { readResult, recorded } from "./results.ts";
import { nextAfter, parseSchedule } from "./schedule.ts";
import { readSettings } from "./settings.ts";
import { settle } from "./times.ts";

const settings = readSettings(process.argv[2] ?? "");
const { root, grace, undo } = settings;
const schedule = settings.collect === undefined ? undefined : parseSchedule(settings.collect);
const started = new Date();

for (const signal of ["SIGTERM", "SIGINT"] as const)
  process.once(signal, () => {
    withdraw(root);
    process.exit();
  });
// The proxy, in the same group, looks for some of its files.
process.umask(0o027);
void watchDisk();
// The health check looks at the file's time. A collection lets this run now and then.
setInterval(() => writeFileSync("/tmp/alive", ""), 1000);

for (;;) {
  await sleep(1000);
  if (isDue(new Date())) await collectAsScheduled();
}

async function watchDisk(): Promise<never> {
  let state: State | undefined;
  for (;;) {
    state = await guard({ root, ...defaultLimits }, state, (event) => console.log(JSON.stringify(event)));
    await sleep(state.pause);
  }
}

function isDue(now: Date): boolean {
  if (schedule === undefined) return false;
  const last = readResult(root, "collect");
  return nextAfter(schedule, last === undefined ? started : new Date(last.began)) <= now;
}

async function collectAsScheduled(): Promise<void> {
  // The first one of a stack only tells what it would do, for somebody to look at before anything goes.
  const isDry = readResult(root, "collect") === undefined;
  try {
    await recorded(root, "collect", isDry, () => collect({ root, grace, undo, settle: settle.default, isDry }));
  } catch (error) {
    // It is in the result. Whoever else is at work may be collecting.
    if (error instanceof Busy) await sleep(60_000);
  }
}
