import * as pulumi from "@pulumi/pulumi";

import { configCommand, inNewShell } from "../components/commands.ts";
import { messageOf } from "../components/userError.ts";
import type { Problem } from "../settings/problems.ts";

/** The messages with which a cloud refuses, and the problem that each means. */
export type Refusals = readonly (readonly [said: RegExp, problem: Problem])[];

/** A missing read permission is no problem: creating may still be allowed, and if not, the cloud reports it then. */
const forbidden = /\b403\b|UnauthorizedOperation|AccessDenied|not authorized/i;

/** @param example A valid value. */
export function hostProblem(key: string, wrong: string, example: string): Problem {
  const setting = `host.${key}`;
  return { setting, wrong, cure: configCommand("set", setting, example) };
}

/**
 * Returns the result of a look-up in a cloud. A refusal is added to the problems.
 *
 * @param cloud The name of the cloud, for messages.
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
    // The last line of the plugin's message is that of the cloud.
    const said = (message.trim().split("\n").at(-1) ?? "").replace(/^\s*\*\s*/, "").replace(/\.$/, "");
    const [, problem] = refusals.find(([pattern]) => pattern.test(message)) ?? [];
    const wrong = `${cloud} refuses the request or does not answer: ${said}`;
    const told = problem ?? { setting: "target", wrong, cure: "fix what it reports, or try again later" };
    if (!problems.some(({ setting }) => setting === told.setting)) problems.push(told);
    return undefined;
  }
}

/**
 * Returns the problems that remain if the machine already exists. A cloud may have stopped offering its image or size,
 * which is no reason to refuse all other changes. Those problems become warnings.
 */
export async function leftFor(machines: () => Promise<readonly unknown[]>, problems: Problem[]): Promise<Problem[]> {
  const ofHost = problems.filter(({ setting }) => setting.startsWith("host."));
  if (ofHost.length === 0 || (await machines().catch(() => [])).length === 0) return problems;
  for (const { setting, wrong, cure } of ofHost) {
    const another = `to change the setting: ${cure}. ${inNewShell(pulumi.getStack())}`;
    void pulumi.log.warn(`${setting}: ${wrong}. The existing machine stays; ${another}`);
  }
  return problems.filter((problem) => !ofHost.includes(problem));
}
