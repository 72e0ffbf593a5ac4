/** A word as a shell reads it, whatever is in it. */
export function shellQuoted(text: string): string {
  return /^[\w.@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
