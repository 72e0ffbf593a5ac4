import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Returns the path of what `make` builds once, under a name with its version. */
export async function cached(name: string, make: (path: string) => Promise<void>): Promise<string> {
  const { XDG_CACHE_HOME: own = "" } = process.env;
  const folder = join(own === "" ? join(homedir(), ".cache") : own, "private-registry");
  const made = join(folder, name);
  if (existsSync(made)) return made;

  mkdirSync(folder, { recursive: true });
  // Under another name until it is complete: a run may be interrupted, or another one build it at the same time.
  const part = `${made}.part${String(process.pid)}`;
  rmSync(part, { recursive: true, force: true });
  await make(part);
  try {
    renameSync(part, made);
  } catch (error) {
    rmSync(part, { recursive: true });
    if (!existsSync(made)) throw error; // Otherwise another run was faster.
  }
  return made;
}
