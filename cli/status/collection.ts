import type { JobResult } from "../../components/care/keeper/results.ts";
import { nextAfter, parseSchedule } from "../../components/care/keeper/schedule.ts";
import { type Finding, timeOf } from "./finding.ts";

/** How long a collection may take until it counts as hanging, in milliseconds. */
const patience = 6 * 3600_000;

/**
 * Judges what the last collection came to.
 *
 * @param scheduled When it is made: `03:30`. Default: only if somebody asks for it.
 */
export function judgeCollection(
  result: JobResult | undefined,
  scheduled: string | undefined,
  stack: string,
  now: Date,
): Finding {
  const about = "collection";
  const schedule = scheduled === undefined ? undefined : parseSchedule(scheduled);
  const next = schedule && nextAfter(schedule, result === undefined ? now : new Date(result.began));
  const later = next === undefined ? "none is scheduled" : `the next one at ${timeOf(next.toISOString())}`;
  if (result === undefined) return { about, is: "note", what: `none yet; ${later}` };
  const { ended, isDry, why } = result;
  const facts = { ...result };
  if (why !== undefined)
    return {
      about,
      is: "wrong",
      what: `failed at ${timeOf(ended)}: ${why}. To try at once: make gc STACK=${stack}`,
      facts,
    };
  if (next !== undefined && now.getTime() - next.getTime() > patience)
    return {
      about,
      is: "wrong",
      what: `none has ended since ${timeOf(ended)}. To see why: make logs STACK=${stack}`,
      facts,
    };
  const dry = isDry ? ", which only told what would go: make gc DRY=1" : "";
  return { about, is: "well", what: `done at ${timeOf(ended)}${dry}; ${later}`, facts };
}
