/** A parameter in nginx's notation: whatever the text holds, nginx reads that text, unless it has a `$` and variables mean something there. */
export function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
}

/** A source value of a `map` that is this very text: nginx takes a few words and a leading `~` for something else. */
export function plainKey(text: string): string {
  return quoted(`\\${text}`);
}

/** A source value of a `map` that is a regular expression, from its beginning to its end, minding case. */
export function patternKey(pattern: string): string {
  return quoted(`~^(?:${pattern})\\z`);
}

/** A regular expression of this text, byte by byte, as nginx reads bytes. */
export function escapePattern(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[\w/-]/.test(character) ? character : `\\x${byte.toString(16).padStart(2, "0")}`;
    })
    .join("");
}

/** A `map` block. Keys are in nginx's notation, values as they are. */
export function renderMap(source: string, variable: string, entries: readonly (readonly [string, string])[]): string {
  const lines = entries.map(([key, value]) => `    ${key} ${value};\n`);
  return `  map ${source} ${variable} {\n${lines.join("")}  }\n`;
}
