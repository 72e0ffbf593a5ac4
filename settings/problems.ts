import { configCommand, nearest, type Problem } from "../problems.ts";

/** Collects what is wrong, with the path of the setting and what mends it. */
export class Problems {
  readonly all: Problem[] = [];
  /** What is taken, though it is hardly meant. */
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

  /** The first problem of a setting: what follows from it is no other one. */
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

  /** Of the entries of a list, each of which has its own `key`: those that have an earlier one's. */
  addRepeated(list: string, key: string, values: readonly string[]): void {
    for (const [i, value] of values.entries()) {
      const first = values.indexOf(value);
      if (first === i || value === "") continue;
      const path = `${list}[${String(i)}]`;
      const wrong = `"${value}" is the ${key} of ${list}[${String(first)}] already`;
      this.add(`${path}.${key}`, wrong, configCommand("rm", path));
    }
  }
}
