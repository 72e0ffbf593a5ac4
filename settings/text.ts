import { configCommand } from "../problems";
import { shellQuoted } from "../shell";
import { isNot } from "./json";
import type { Problems } from "./problems";

interface TextSetting {
  readonly path: string;
  /** As a problem calls it: "a name". */
  readonly what: string;
  readonly example: string;
}

/**
 * The text of a setting, or undefined and a problem. What isn't in quotes YAML makes something else of: `1e3` is the
 * number 1000, `true` a boolean, nothing is null; and so does `pulumi config set --path` with digits.
 */
export function parseText(value: unknown, { path, what, example }: TextSetting, problems: Problems) {
  if (typeof value === "string") return value;
  const set = configCommand("set --type string", path, example);
  if (isUnquoted(value)) return problems.add(path, `${String(value)} ${isNoText(value)}`, `${inQuotes}: ${set}`);
  return problems.add(path, isNot(value ?? undefined, what), configCommand("set", path, example));
}

/** The same for a secret, which no problem quotes. As a secret Pulumi keeps a text of digits as it is. */
export function parseSecret(value: unknown, { path, what }: Omit<TextSetting, "example">, problems: Problems) {
  if (typeof value === "string" && value !== "") return value;
  const set = configCommand("set --secret", path);
  if (isUnquoted(value)) return problems.add(path, isNoText(value), `${inQuotes}: ${set}`);
  const wrong =
    value === undefined || value === null || value === "" ? `is not set: ${what} is needed` : "is not a text";
  return problems.add(path, wrong, set);
}

/** The command that sets a text: Pulumi makes numbers and booleans of some that stand within a setting. */
export function setText(path: string, text: string): string {
  const verb = /^([-+]?\d+|true|false)$/.test(text) ? "set --type string" : "set";
  return configCommand(verb, path, `${text.startsWith("-") ? "-- " : ""}${shellQuoted(text)}`);
}

const inQuotes = "write it in quotes in the stack file, or";

function isUnquoted(value: unknown): value is number | boolean {
  return typeof value === "number" || typeof value === "boolean";
}

function isNoText(value: number | boolean): string {
  return `is a ${typeof value}, not a text: without quotes YAML may have changed it`;
}
