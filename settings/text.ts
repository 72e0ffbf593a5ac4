import { configCommand, shellQuoted } from "../components/commands.ts";
import { isNot } from "./json.ts";
import type { Problems } from "./problems.ts";

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
  const kind = kindMade(value);
  if (kind !== undefined) {
    const set = configCommand("set --type string", path, example);
    return problems.add(path, `${JSON.stringify(value)} ${isNoText(kind)}`, `${inQuotes}: ${set}`);
  }
  if (typeof value === "string") return value;
  return problems.add(path, isNot(value ?? undefined, what), configCommand("set", path, example));
}

/** The same for a secret, which no problem quotes. As a secret Pulumi keeps a text of digits as it is. */
export function parseSecret(value: unknown, { path, what }: Omit<TextSetting, "example">, problems: Problems) {
  const set = configCommand("set --secret", path);
  const kind = kindMade(value);
  if (kind !== undefined) return problems.add(path, isNoText(kind), `${inQuotes}: ${set}`);
  if (typeof value === "string" && value !== "") return value;
  const isMissing = value === undefined || value === null || value === "";
  return problems.add(path, isMissing ? `is not set: ${what} is needed` : "is not a text", set);
}

/** The command that sets a text: Pulumi makes numbers and booleans of some that stand within a setting. */
export function setText(path: string, text: string): string {
  const verb = /^([-+]?\d+|true|false)$/.test(text) ? "set --type string" : "set";
  return configCommand(verb, path, `${text.startsWith("-") ? "-- " : ""}${shellQuoted(text)}`);
}

const inQuotes = "write it in quotes in the stack file, or";

/** What Pulumi makes of a date that is not in quotes. */
const unquotedDate = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} /;

/** What a text became that is not in quotes; undefined where it is still one, or never was. */
function kindMade(value: unknown): string | undefined {
  if (typeof value === "number" || typeof value === "boolean") return typeof value;
  return typeof value === "string" && unquotedDate.test(value) ? "date" : undefined;
}

function isNoText(kind: string): string {
  return `is a ${kind}, not a text: without quotes YAML may have changed it`;
}
