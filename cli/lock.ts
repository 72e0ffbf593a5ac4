import { existsSync, readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { UserError } from "../components/userError.ts";
import { project } from "./environment.ts";
import type { Stack } from "./stack.ts";

/** The content of a Pulumi lock file. */
interface Holder {
  readonly pid: number;
  readonly hostname: string;
}

/** The state folder of this project; undefined with another backend, which has its own locks. */
export function stateFolder(): string | undefined {
  return /^file:\/\/([^?]*)/.exec(process.env["PULUMI_BACKEND_URL"] ?? "")?.[1];
}

/**
 * Waits for a run that continues although its `make` is gone, and releases the lock of a killed run. The state is then
 * read again.
 */
export async function releaseLock(stack: Pick<Stack, "name" | "about" | "pulumi" | "forgetState">): Promise<void> {
  if (holdersOf(stack.name).length === 0) return;
  stack.forgetState();
  const isHeld = () => isRunning(stack.name);
  if (isHeld()) console.error("▸ Another `pulumi` is running on this stack: waiting for it to finish");
  for (const end = Date.now() + 15 * 60_000; isHeld() && Date.now() < end;) await sleep(500);
  if (isHeld())
    throw new UserError("It has not finished in 15 minutes: look for it with `ps`, stop it, and try again.");
  if (holdersOf(stack.name).length === 0) return;
  console.error("▸ A run was killed while it held the lock of this stack: releasing it");
  await stack.pulumi([...stack.about("cancel"), "--yes"]);
}

/** Whether a `pulumi` changes this stack now. With another backend than a folder, nobody knows: false. */
export function isRunning(stack: string): boolean {
  return holdersOf(stack).some((holder) => holder.hostname !== hostname() || isAlive(holder.pid));
}

/** The runs that hold the lock of a stack, or were killed while they held it. */
function holdersOf(stack: string): Holder[] {
  const backend = stateFolder();
  if (backend === undefined) return [];
  const folder = join(backend, ".pulumi", "locks", "organization", project, stack);
  return lockFilesIn(folder).flatMap((file) => {
    // A run that ends removes its file.
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    return text === "" ? [] : [JSON.parse(text) as Holder];
  });
}

function lockFilesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".json"))
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
