import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { unless } from "./files.ts";
import { keeperFolder } from "./layout.ts";
import { Busy } from "./lock.ts";

/** A job of the keeper. */
export type JobName = "collect";

/** What the last run of a job came to. `make status` reads it. */
export interface JobResult {
  readonly job: JobName;
  /** When it began and ended, ISO 8601. */
  readonly began: string;
  readonly ended: string;
  readonly result: "done" | "failed";
  /** Why it failed. */
  readonly why?: string | undefined;
  /** Whether it only told what it would do. */
  readonly isDry: boolean;
  /** What it did, as numbers. */
  readonly summary?: object | undefined;
}

/** Where the last result of a job is. */
export function resultFile(root: string, job: JobName): string {
  return join(root, keeperFolder, "results", `${job}.json`);
}

/** Undefined before the first run. */
export function readResult(root: string, job: JobName): JobResult | undefined {
  const text = unless(["ENOENT"], () => readFileSync(resultFile(root, job), "utf8"));
  return text === undefined ? undefined : (JSON.parse(text) as JobResult);
}

function writeResult(root: string, result: JobResult): void {
  const file = resultFile(root, result.job);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify(result), { flush: true });
  renameSync(`${file}.new`, file);
}

/**
 * Runs a job, and keeps what it came to as its last result.
 *
 * @param tell Called with that. Default: nobody is told.
 */
export async function recorded<Summary extends object>(
  root: string,
  job: JobName,
  isDry: boolean,
  run: () => Promise<Summary>,
  tell: (result: JobResult) => void = () => undefined,
): Promise<Summary> {
  const began = new Date().toISOString();
  const record = (rest: Pick<JobResult, "result" | "why" | "summary">) => {
    const result: JobResult = { job, began, ended: new Date().toISOString(), isDry, ...rest };
    tell(result);
    writeResult(root, result);
  };
  try {
    const summary = await run();
    record({ result: "done", summary });
    return summary;
  } catch (error) {
    // Nothing was run.
    if (error instanceof Busy) throw error;
    record({ result: "failed", why: error instanceof Error ? error.message : String(error) });
    throw error;
  }
}
