import type { Outcome } from "../../components/certificate/acme/renewal.ts";
import { type Finding, timeOf } from "./finding.ts";

/** How long a try may take, in milliseconds: lego ends after 10 minutes. */
const patience = 15 * 60_000;

/** Judges what the last try to renew the certificate came to. A failed one is repeated by itself. */
export function judgeRenewal(outcome: Outcome | undefined, stack: string, now: Date): Finding {
  const about = "renewal";
  if (outcome === undefined) return { about, is: "note", what: "the first try is under way" };
  const { at, result, why, failures, next } = outcome;
  const facts = { ...outcome };
  const times = `Tried ${String(failures)} ${failures === 1 ? "time" : "times"}, the next time at ${timeOf(next)}`;
  if (why !== undefined)
    return { about, is: "wrong", what: `${why}. ${times}. To try at once: make renew STACK=${stack}`, facts };
  if (result === "begun" && now.getTime() - Date.parse(at) < patience)
    return { about, is: "note", what: `a try has been under way since ${timeOf(at)}`, facts };
  if (now.getTime() - Date.parse(next) > patience) {
    const what = `no try has ended since ${timeOf(next)}. To see why: make logs STACK=${stack}`;
    return { about, is: "wrong", what, facts };
  }
  const done = result === "issued" ? "a certificate was issued" : "it was not due";
  return { about, is: "well", what: `${done} at ${timeOf(at)}; looks again at ${timeOf(next)}`, facts };
}
