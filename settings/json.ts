/** What a setting holds that isn't text: Pulumi hands it over as JSON. Other text stays what it is. */
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

/** A value as it is typed: a text as it is, all else as JSON. */
export function typed(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A value in a problem. A key that stands where it does not belong is not shown. */
export function quoted(value: unknown): string {
  const json = JSON.stringify(value);
  return json.includes("PRIVATE KEY") ? "a private key" : json;
}

/** What is wrong with a value that is not what is meant: that it is missing, or what it is instead. */
export function isNot(value: unknown, what: string): string {
  return value === undefined ? `is not set: ${what} is needed` : `${quoted(value)} is not ${what}`;
}
