import { type Finding, renderTable, type Result } from "../status/finding.ts";

/** What the weekly workflow says about a stack. */
export interface Report {
  readonly stack: string;
  readonly isWell: boolean;
  /** Markdown. */
  readonly text: string;
}

/** What the steps of the workflow came to. */
export interface Found {
  readonly stack: string;
  /** The result of the step with `make up`: `success`, `failure` … */
  readonly up: string;
  /** What `status --json` printed; undefined if that was no JSON. */
  readonly status: { readonly result: Result; readonly findings: readonly Finding[] } | undefined;
  /** What `newer-images --json` printed; undefined if that was no JSON. */
  readonly newer: { readonly images: readonly Finding[] } | undefined;
  /** The address of the workflow's run. */
  readonly run: string;
}

export function reportOf({ stack, up, status, newer, run }: Found): Report {
  const bad = status?.findings.filter(({ is }) => is === "wrong" || is === "unknown") ?? [];
  const log = `See the log of [this run](${run}).`;
  const isWell = up === "success" && status?.result === "well";
  const parts = [
    isWell ? "All is well." : "",
    up === "success" ? "" : `\`make up STACK=${stack}\` did not succeed (${up}), so nothing was renewed. ${log}`,
    status === undefined ? `\`make status STACK=${stack}\` could not say whether all is well. ${log}` : "",
    bad.length === 0
      ? ""
      : `What is wrong (✗) or can't be told (?), by \`make status STACK=${stack}\`:\n\n${code(bad)}`,
    newer === undefined ? `Newer images were not looked for. ${log}` : `Images:\n\n${code(newer.images)}`,
  ];
  return { stack, isWell, text: parts.filter((part) => part !== "").join("\n\n") };
}

/** The report on a stack of which the workflow found nothing out. */
export function unreported(stack: string, run: string): Report {
  const why = "nobody approved it, or it was stopped";
  return { stack, isWell: false, text: `[This run](${run}) did not get as far as \`make up STACK=${stack}\`: ${why}.` };
}

/** As code, so that nothing in a finding is Markdown, a link or the mention of a person. */
function code(findings: readonly Finding[]): string {
  return renderTable(findings)
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
}
