/** Parses a setting that Pulumi passes as JSON. Text that is not JSON is returned unchanged. */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value as it is typed: text unchanged, everything else as JSON. */
export function typed(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A value as a message shows it. A private key in the wrong place is not shown. */
export function quoted(value: unknown): string {
  const json = JSON.stringify(value);
  return json.includes("PRIVATE KEY") ? "a private key" : json;
}

/** The message for a value that is missing or not what it must be. */
export function isNot(value: unknown, what: string): string {
  return value === undefined ? `is not set: ${what} is needed` : `${quoted(value)} is not ${what}`;
}
