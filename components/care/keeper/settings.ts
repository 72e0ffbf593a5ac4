import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { Limits } from "./levels.ts";

/** What the keeper is to do, written by `up`. Times are in seconds. */
export interface KeeperSettings {
  /** The data folder in its container. */
  readonly root: string;
  /** When it collects: `03:30`, `Sun 03:30`. Default: only if somebody asks it to. */
  readonly collect?: string | undefined;
  /** How long what nothing needs is left where it is. */
  readonly grace: number;
  /** How long what went can be put back. */
  readonly undo: number;
  /** How full the disk may get. */
  readonly levels: Limits;
}

const file = "keeper.json";

/** The settings as the file that `readSettings` finds. */
export function renderSettings(settings: KeeperSettings): Record<string, string> {
  return { [file]: JSON.stringify(settings) };
}

/** @param folder That of the program. */
export function readSettings(folder: string): KeeperSettings {
  return JSON.parse(readFileSync(join(folder, file), "utf8")) as KeeperSettings;
}
