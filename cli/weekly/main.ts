// What .github/workflows/weekly.yml says: node cli/weekly/main.ts report|issues
// It needs no packages, so that the job that may write issues installs none.
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

import { outputOf } from "../processes.ts";
import { type Issue, tellingOf } from "./issue.ts";
import { type Found, type Report, reportOf, unreported } from "./report.ts";

const reports = "weekly/reports";
const { STACK = "", STACKS = "[]", UP = "", RUN = "", GITHUB_STEP_SUMMARY } = process.env;

/** Reports on one stack by what the steps before have written. Returns whether all is well. */
function report(): boolean {
  const status = parseFile("weekly/status.json") as Found["status"];
  const newer = parseFile("weekly/images.json") as Found["newer"];
  const made = reportOf({ stack: STACK, up: UP, status, newer, run: RUN });
  mkdirSync(reports, { recursive: true });
  writeFileSync(fileOf(STACK), JSON.stringify(made));
  console.log(made.text);
  if (GITHUB_STEP_SUMMARY !== undefined) appendFileSync(GITHUB_STEP_SUMMARY, `## ${STACK}\n\n${made.text}\n\n`);
  return made.isWell;
}

/** Opens, continues or closes the issue about each stack. */
function writeIssues(): void {
  // Not by a search, which would miss an issue that was opened just now.
  const listed = outputOf("gh", ["issue", "list", "--state", "open", "--limit", "1000", "--json", "number,title"]);
  const open = JSON.parse(listed) as readonly Issue[];
  for (const stack of JSON.parse(STACKS) as readonly string[]) {
    const file = fileOf(stack);
    const made = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Report) : unreported(stack, RUN);
    const telling = tellingOf(made, open, RUN);
    if (telling !== undefined) console.log(outputOf("gh", telling.args, telling.input).trim());
  }
}

function fileOf(stack: string): string {
  return `${reports}/${stack}.json`;
}

/** What a command printed; undefined if it failed before it printed JSON. */
function parseFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

switch (process.argv[2]) {
  case "report":
    process.exitCode = report() ? 0 : 1;
    break;
  case "issues":
    writeIssues();
    break;
  default:
    console.error("Usage: node cli/weekly/main.ts report|issues");
    process.exitCode = 1;
}
