import { configCommand, shellQuoted } from "../components/commands.ts";

/** The command that sets a text. Without `--type`, Pulumi reads some texts inside a setting as numbers or booleans. */
export function setText(path: string, text: string): string {
  const verb = /^([-+]?\d+|true|false)$/.test(text) ? "set --type string" : "set";
  return configCommand(verb, path, `${text.startsWith("-") ? "-- " : ""}${shellQuoted(text)}`);
}

/**
 * The kind of value that YAML made of an unquoted text; undefined for any other value. YAML reads `1e3` as the number
 * 1000 and `true` as a boolean, and `pulumi config set --path` reads digits as a number.
 */
export function kindMade(value: unknown): string | undefined {
  if (typeof value === "number" || typeof value === "boolean") return typeof value;
  return typeof value === "string" && isDate(value) ? "date" : undefined;
}

/** Whether a text is Pulumi's form of an unquoted date. */
export function isDate(text: string): boolean {
  return /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} /.test(text);
}
