import { existsSync } from "node:fs";

import { messageOf } from "../../components/userError.ts";
import { Interrupted } from "../processes.ts";
import type { Stack } from "../stack.ts";
import type { Finding } from "./finding.ts";

/** Judges whether the last run ended well. */
export function judgeLastRun(stack: Stack, isActive: boolean, isPending: boolean): Finding[] {
  if (isActive) return [{ about: "last run", is: "note", what: "a run is under way" }];
  if (!existsSync(stack.unfinished) && !isPending) return [];
  const what = `did not finish, so the state may be behind. To finish it: make up STACK=${stack.name}`;
  return [{ about: "last run", is: "wrong", what }];
}

/** What `make up` would change, by kind of change: `{ update: 1 }`. */
type Summary = Readonly<Record<string, number>>;

/** Asks Pulumi what `make up` would change. Pulumi compares the settings with its state, not with the engine. */
export async function askChanges(stack: Stack): Promise<Finding> {
  const about = "changes";
  try {
    const printed = await stack.pulumi(stack.about("preview", "--json"));
    const { changeSummary = {} } = JSON.parse(printed) as { readonly changeSummary?: Summary };
    return { about, ...told(changeSummary, stack.name), facts: changeSummary };
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    const [reason = ""] = messageOf(error).split("\n");
    return {
      about,
      is: "unknown",
      what: `the preview failed: ${reason}. To see more: make preview STACK=${stack.name}`,
    };
  }
}

/** Changes in words. That some are pending is no fault. */
export function told(summary: Summary, stack: string): Pick<Finding, "is" | "what"> {
  const changes = Object.entries(summary).filter(([kind, count]) => kind !== "same" && count > 0);
  if (changes.length === 0) return { is: "well", what: "none: the settings are deployed" };
  const listed = changes.map(([kind, count]) => `${String(count)} to ${kind}`).join(", ");
  return { is: "note", what: `${listed}. To see them: make preview STACK=${stack}` };
}
