import { configCommand, shellQuoted } from "../components/commands.ts";

/** The command that sets a text: Pulumi makes numbers and booleans of some that stand within a setting. */
export function setText(path: string, text: string): string {
  const verb = /^([-+]?\d+|true|false)$/.test(text) ? "set --type string" : "set";
  return configCommand(verb, path, `${text.startsWith("-") ? "-- " : ""}${shellQuoted(text)}`);
}

/**
 * What a text became that is not in quotes; undefined where it is still one, or never was. YAML reads `1e3` as the number
 * 1000 and `true` as a boolean, and `pulumi config set --path` does likewise with digits.
 */
export function kindMade(value: unknown): string | undefined {
  if (typeof value === "number" || typeof value === "boolean") return typeof value;
  return typeof value === "string" && isDate(value) ? "date" : undefined;
}

/** Whether a text is what Pulumi makes of a date that is not in quotes. */
export function isDate(text: string): boolean {
  return /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} /.test(text);
}
