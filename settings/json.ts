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

/** What is wrong with a value that is not what is meant: that it is missing, or what it is instead. */
export function isNot(value: unknown, what: string): string {
  return value === undefined ? `is not set: ${what} is needed` : `${JSON.stringify(value)} is not ${what}`;
}
