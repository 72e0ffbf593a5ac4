import type { Report } from "./report.ts";

/** An open issue of the repository. */
export interface Issue {
  readonly number: number;
  readonly title: string;
}

/** One issue a stack, found by its title. */
function titleOf(stack: string): string {
  return `The registry of stack ${stack} needs somebody`;
}

/** The arguments of `gh` that tell a report, and its standard input; undefined if there is nothing to tell. */
export function tellingOf(
  { stack, isWell, text }: Report,
  open: readonly Issue[],
  run: string,
): { readonly args: readonly string[]; readonly input: string } | undefined {
  const number = open.find(({ title }) => title === titleOf(stack))?.number;
  if (isWell && number === undefined) return undefined;
  if (isWell) return { args: ["issue", "close", String(number), "--comment", `All is well again: ${run}`], input: "" };
  const body = ["--body-file", "-"];
  const input = `${text}\n\nBy [this run](${run}). docs/weekly.md says what it does.\n`;
  if (number !== undefined) return { args: ["issue", "comment", String(number), ...body], input };
  return { args: ["issue", "create", "--title", titleOf(stack), ...body], input };
}
