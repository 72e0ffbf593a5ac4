import { configCommand, nearest, type Problem } from "../problems";

/** Collects what is wrong, with the path of the setting and what mends it. */
export class Problems {
  readonly all: Problem[] = [];

  add(setting: string, wrong: string, cure: string): undefined {
    this.all.push({ setting, wrong, cure });
  }

  addUnknownKey(parent: string, key: string, known: readonly string[]): void {
    if (known.includes(key)) return;
    const path = parent + key;
    const near = nearest(key, known);
    const cure = `${near === undefined ? `known here: ${known.join(", ")}` : `did you mean ${parent}${near}?`} To remove it: ${configCommand("rm", path)}`;
    this.add(path, "there is no such setting", cure);
  }
}
