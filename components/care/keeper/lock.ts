import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { keeperFolder } from "./layout.ts";

/** Another job is at work on the same data. */
export class Busy extends Error {}

/**
 * Runs a job that nothing else may overlap on this data, in any container. SQLite locks a file for it as the kernel does:
 * the lock ends with the process, however that ends.
 */
export async function whileLocked<Result>(root: string, job: () => Promise<Result>): Promise<Result> {
  mkdirSync(join(root, keeperFolder), { recursive: true });
  const file = new DatabaseSync(join(root, keeperFolder, "lock"), { timeout: 0 });
  try {
    file.exec("PRAGMA journal_mode = OFF");
    file.exec("BEGIN EXCLUSIVE");
    return await job();
  } catch (error) {
    if ((error as { errcode?: unknown }).errcode === 5)
      throw new Busy("another job is at work on the data; try again later");
    throw error;
  } finally {
    file.close();
  }
}
