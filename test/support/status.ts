import assert from "node:assert/strict";

import type { Finding, Result } from "../../cli/status/finding.ts";
import type { Checkout } from "./checkout.ts";

export interface Status {
  readonly code: number | null;
  readonly result: Result;
  readonly findings: readonly Finding[];
}

/** The status of a checkout's stack, as a monitor gets it. */
export async function statusOf(checkout: Checkout, ...options: readonly string[]): Promise<Status> {
  const asked = ["cli/main.ts", "status", checkout.stack, "--json", ...options];
  const { code, stdout, output } = await checkout.run("node", asked);
  assert.ok(stdout.startsWith("{"), output);
  return { code, ...(JSON.parse(stdout) as Omit<Status, "code">) };
}

/** Asserts that a status has this exit code, and names these, and nothing else, as wrong or unknown. */
export function assertNames(
  { code, findings }: Status,
  expected: number,
  ...named: readonly (readonly [string, RegExp])[]
): void {
  const bad = findings.filter(({ is }) => is === "wrong" || is === "unknown");
  const about = bad.map((finding) => finding.about);
  assert.deepEqual(
    about,
    named.map(([each]) => each),
    JSON.stringify(bad),
  );
  for (const [index, [, what]] of named.entries()) assert.match(bad[index]?.what ?? "", what);
  assert.equal(code, expected);
}
