/** A text as an nginx parameter. nginx reads it unchanged, but expands `$` where it accepts variables. */
export function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
}

/** A source value of a `map` that matches exactly this text: some words and a leading `~` have another meaning. */
export function plainKey(text: string): string {
  return quoted(`\\${text}`);
}

/** A source value of a `map` that matches a whole text by a regular expression, case-sensitive. */
export function patternKey(pattern: string): string {
  return quoted(`~^(?:${pattern})\\z`);
}

/** A regular expression that matches this text byte by byte, as nginx does. */
export function escapePattern(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[\w/-]/.test(character) ? character : `\\x${byte.toString(16).padStart(2, "0")}`;
    })
    .join("");
}

/** A `map` block. Keys are in nginx's notation; values are used unchanged. */
export function renderMap(source: string, variable: string, entries: readonly (readonly [string, string])[]): string {
  const lines = entries.map(([key, value]) => `    ${key} ${value};\n`);
  return `  map ${source} ${variable} {\n${lines.join("")}  }\n`;
}
