import { configCommand, inNewShell } from "../components/commands.ts";
import { UserError } from "../components/userError.ts";

/** One mistake in the settings. */
export interface Problem {
  /** The key path of the setting: `port`, `users[1].name`. */
  readonly setting: string;
  /** What is wrong, as a sentence without its full stop. */
  readonly wrong: string;
  /** How to fix it; a command if possible. */
  readonly cure: string;
}

/** Reports every mistake at once. */
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

/** Whether the cure of a problem needs the hint of `inNewShell`. */
export function needsShell({ cure }: Problem): boolean {
  return cure.includes("pulumi ");
}

/** Collects problems, each with the path of its setting and a cure. */
export class Problems {
  readonly all: Problem[] = [];
  /** Settings that are valid but probably not intended. */
  readonly warnings: Problem[] = [];

  warn(setting: string, wrong: string, cure: string): void {
    this.warnings.push({ setting, wrong, cure });
  }

  /** Whether something is wrong with a setting or with a part of it. */
  has(setting: string): boolean {
    const begins = [`${setting}.`, `${setting}[`];
    return this.all.some(
      (known) => known.setting === setting || begins.some((begin) => known.setting.startsWith(begin)),
    );
  }

  /** Keeps one problem per setting; later ones are consequences. */
  add(setting: string, wrong: string, cure: string): undefined {
    if (!this.all.some((known) => known.setting === setting)) this.all.push({ setting, wrong, cure });
  }

  addUnknownKey(parent: string, key: string, known: readonly string[]): void {
    if (known.includes(key)) return;
    const path = parent + key;
    const near = nearest(key, known);
    const cure = `${near === undefined ? `known here: ${known.join(", ")}.` : `did you mean ${parent}${near}?`} To remove it: ${configCommand("rm", path)}`;
    this.add(path, "there is no such setting", cure);
  }

  /** Reports each entry of a list whose `key` has the value of an earlier entry. */
  addRepeated(list: string, key: string, values: readonly string[]): void {
    for (const [i, value] of values.entries()) {
      const first = values.indexOf(value);
      if (first === i || value === "") continue;
      const path = `${list}[${String(i)}]`;
      const wrong = `"${value}" is already the ${key} of ${list}[${String(first)}]`;
      this.add(`${path}.${key}`, wrong, configCommand("rm", path));
    }
  }
}

/** The candidate with the smallest edit distance; undefined if none is close. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, edits: editsBetween(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  const [best] = ranked;
  return best !== undefined && best.edits <= Math.max(2, best.candidate.length / 2) ? best.candidate : undefined;
}

/** The Levenshtein distance. */
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
