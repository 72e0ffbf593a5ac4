import { RunError } from "@pulumi/pulumi";

/** One mistake in the settings, for a person to mend. */
export interface Problem {
  /** The key path of the setting: `port`, `users[1].name`. */
  readonly setting: string;
  /** What is wrong, as a sentence without its full stop. */
  readonly wrong: string;
  /** What mends it: a command where there is one. */
  readonly cure: string;
}

/** Something for the user to mend: Pulumi shows the message alone. */
export class UserError extends RunError {
  constructor(message: string) {
    super(message);
    // Pulumi formats the stack even of an error that it shows without. On a frame of `@pulumi/resource.ts` Node 20 does
    // so in a loop that ends half a minute later, when the text has become too long for a string.
    this.stack = message;
  }
}

/** Every mistake at once. */
export class SettingsError extends UserError {
  readonly problems: readonly Problem[];

  constructor(stack: string, problems: readonly Problem[]) {
    const count = problems.length === 1 ? "1 problem" : `${String(problems.length)} problems`;
    const lines = problems.map(({ setting, wrong, cure }) => `  ${setting}: ${wrong}.\n      ${cure}\n`);
    const first = problems.some(needsShell) ? `\n${inNewShell(stack)}\n` : "";
    super(`${count} in the settings of stack ${stack}; nothing was changed.\n\n${lines.join("\n")}${first}`);
    this.problems = problems;
  }
}

/** What something that was thrown says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether the cure of a problem is to be shown with `inNewShell`. */
export function needsShell({ cure }: Problem): boolean {
  return cure.includes("pulumi ");
}

/** What is said beside `pulumi` commands, so that they run as printed. */
export function inNewShell(stack: string): string {
  return `In a new shell, first: eval "$(make -s env)" && pulumi stack select ${stack}`;
}

/** The command that changes a setting, by its path: to be shown with `inNewShell`. */
export function configCommand(
  verb: "set" | "set --secret" | "set --type string" | "rm",
  path: string,
  value = "",
): string {
  const key = /[.[]/.test(path) ? `--path '${path}'` : path;
  return `pulumi config ${verb} ${key}${value === "" ? "" : ` ${value}`}`;
}

/** The candidate with the fewest edits to it; undefined when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, edits: editsBetween(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  const [best] = ranked;
  return best !== undefined && best.edits <= Math.max(2, best.candidate.length / 2) ? best.candidate : undefined;
}

/** Levenshtein's distance. */
function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, charA] of Array.from(a).entries()) {
    let diagonal = i;
    let left = i + 1;
    row = row.map((above, j) => {
      if (j === 0) return left;
      const edits = Math.min(above + 1, left + 1, diagonal + (charA === b[j - 1] ? 0 : 1));
      diagonal = above;
      left = edits;
      return edits;
    });
  }
  return row[b.length] ?? 0;
}
