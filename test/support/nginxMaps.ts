interface NginxMap {
  readonly source: string;
  readonly plain: ReadonlyMap<string, string>;
  readonly patterns: readonly (readonly [pattern: RegExp, value: string])[];
  readonly otherwise: string;
}

/** `map` blocks as renderMap writes them, evaluated without nginx; other tests show that nginx does the same. */
export class NginxMaps {
  private readonly maps: ReadonlyMap<string, NginxMap>;

  constructor(text: string) {
    const blocks = inBytes(text).matchAll(/^ {2}map (.*?) \$(\w+) \{\n(.*?)^ {2}\}\n/gms);
    this.maps = new Map(Array.from(blocks, ([, source = "", name = "", lines = ""]) => [name, readMap(source, lines)]));
  }

  /** A variable is evaluated once, when it is first read, with the captures of patterns until then. */
  lookUp(variable: string, given: Readonly<Record<string, string>>): string {
    const known = new Map(Object.entries(given).map(([name, value]) => [name, inBytes(value)]));
    const filled = (text: string) => text.replaceAll(/\$(\w+)/g, (_, name: string) => valueOf(name));
    const valueOf = (name: string): string => {
      const map = this.maps.get(name);
      const value = known.get(name) ?? (map && filled(found(map, filled(map.source), known))) ?? "";
      known.set(name, value);
      return value;
    };
    return valueOf(variable);
  }
}

/** Plain keys first, in any case; then patterns, in their order. */
function found({ plain, patterns, otherwise }: NginxMap, source: string, known: Map<string, string>): string {
  const value = plain.get(lowerCase(source));
  if (value !== undefined) return value;
  for (const [pattern, value] of patterns) {
    const match = pattern.exec(source);
    if (match === null) continue;
    for (const [name, text = ""] of Object.entries(match.groups ?? {})) known.set(name, text);
    return value;
  }
  return otherwise;
}

function readMap(source: string, lines: string): NginxMap {
  const plain = new Map<string, string>();
  const patterns: [RegExp, string][] = [];
  let otherwise = "";
  for (const line of lines.split("\n").slice(0, -1)) {
    const [, key, value] = /^ {4}("(?:\\.|[^"\\])*"|[^\s"]+) ('.*'|"(?:\\.|[^"\\])*"|\S+);$/.exec(line) ?? [];
    if (key === undefined || value === undefined) throw new Error(`not an entry of a map: ${line}`);
    const text = unquoted(key);
    if (text === "default") otherwise = unquoted(value);
    else if (!text.startsWith("~")) plain.set(lowerCase(text.replace(/^\\/, "")), unquoted(value));
    else patterns.push([new RegExp(text.slice(1).replace(/\\z$/, "$"), "s"), unquoted(value)]);
  }
  return { source: unquoted(source), plain, patterns, otherwise };
}

function unquoted(text: string): string {
  return /^["']/.test(text) ? text.slice(1, -1).replaceAll(/\\(["'\\])/g, "$1") : text;
}

/** A character for each byte, as nginx compares bytes. */
function inBytes(text: string): string {
  return Buffer.from(text).toString("latin1");
}

function lowerCase(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}
