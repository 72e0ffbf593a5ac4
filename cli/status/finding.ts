/** One line of a status. */
export interface Finding {
  /** `certificate`, `proxy` … */
  readonly about: string;
  /** `wrong` needs a person; `unknown` could not be found out; `note` is neither good nor bad. */
  readonly is: "well" | "wrong" | "unknown" | "note";
  /** In one sentence: what is so and, if something is wrong, what to do. */
  readonly what: string;
  /** The same for scripts. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** What becomes of all findings: anything wrong counts more than anything unknown. */
export type Result = "well" | "wrong" | "unknown";

/** The exit code for a monitor. */
export const exitCodes: Readonly<Record<Result, number>> = { well: 0, wrong: 1, unknown: 2 };

export function resultOf(findings: readonly Finding[]): Result {
  return (["wrong", "unknown"] as const).find((result) => findings.some(({ is }) => is === result)) ?? "well";
}

const marks = { well: "✓", wrong: "✗", unknown: "?", note: "·" } as const;

/** A line for each finding. */
export function renderTable(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ about }) => about.length));
  return findings.map(({ about, is, what }) => `  ${marks[is]} ${about.padEnd(width)}  ${what}`).join("\n");
}

/** `2026-11-29 14:31 UTC` */
export function timeOf(iso: string): string {
  return `${iso.slice(0, 16).replace("T", " ")} UTC`;
}
