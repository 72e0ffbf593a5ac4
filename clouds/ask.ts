import * as pulumi from "@pulumi/pulumi";

import { configCommand, inNewShell } from "../components/commands.ts";
import { messageOf } from "../components/userError.ts";
import type { Problem } from "../settings/problems.ts";

/** What a cloud says where it refuses, and the problem that this is. */
export type Refusals = readonly (readonly [said: RegExp, problem: Problem])[];

/** Who may not ask may be allowed to make it all the same: the cloud will say so itself then. */
const forbidden = /\b403\b|UnauthorizedOperation|AccessDenied|not authorized/i;

/** @param example What would do. */
export function hostProblem(key: string, wrong: string, example: string): Problem {
  const setting = `host.${key}`;
  return { setting, wrong, cure: configCommand("set", setting, example) };
}

/**
 * Takes what a cloud answers to a look-up; what it refuses is added to the problems.
 *
 * @param cloud As people call it.
 */
export async function answered<T>(
  cloud: string,
  lookup: Promise<T>,
  refusals: Refusals,
  problems: Problem[],
): Promise<T | undefined> {
  try {
    return await lookup;
  } catch (error) {
    const message = messageOf(error);
    if (forbidden.test(message)) return undefined;
    // What its plugin says last is what the cloud said.
    const said = (message.trim().split("\n").at(-1) ?? "").replace(/^\s*\*\s*/, "").replace(/\.$/, "");
    const [, problem] = refusals.find(([pattern]) => pattern.test(message)) ?? [];
    const wrong = `${cloud} refuses, or does not answer: ${said}`;
    const told = problem ?? { setting: "target", wrong, cure: "mend what it says, or try again in a while" };
    if (!problems.some(({ setting }) => setting === told.setting)) problems.push(told);
    return undefined;
  }
}

/**
 * The problems that are left for a machine that is there already: a cloud may have stopped offering what it is made of,
 * which is no reason to refuse all other changes. They are told as warnings.
 */
export async function leftFor(machines: () => Promise<readonly unknown[]>, problems: Problem[]): Promise<Problem[]> {
  const ofHost = problems.filter(({ setting }) => setting.startsWith("host."));
  if (ofHost.length === 0 || (await machines().catch(() => [])).length === 0) return problems;
  for (const { setting, wrong, cure } of ofHost) {
    const another = `for another one: ${cure}. ${inNewShell(pulumi.getStack())}`;
    void pulumi.log.warn(`${setting}: ${wrong}. The machine that is there stays; ${another}`);
  }
  return problems.filter((problem) => !ofHost.includes(problem));
}
