import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * With a state folder of its own, the salt that Pulumi writes into a stack file is this checkout's alone: git is told to
 * look past it, so that `git status` stays clean and `git pull` goes through.
 */
export function hideSalt(stack: string): void {
  const file = stackFile(stack);
  if (!existsSync(join(".state", ".pulumi")) || !git("ls-files", "--error-unmatch", file)) return;
  git("config", "filter.encryptionsalt.clean", "sed '/^encryptionsalt:/d'");
  // Where the salt is all that is new, git still sees another size: it is to look again, and finds nothing to add.
  if (git("diff", "--quiet", "--", file)) git("add", "--", file);
}

/** The salt goes with its stack, but not while settings that it encrypts are left. */
export function removeSalt(stack: string): void {
  const file = stackFile(stack);
  const text = existsSync(file) ? readFileSync(file, "utf8") : "secure:";
  if (text.includes("secure:")) return;
  writeFileSync(`${file}.new`, text.replace(/^encryptionsalt:.*\n/m, ""));
  renameSync(`${file}.new`, file);
}

function stackFile(stack: string): string {
  return `Pulumi.${stack}.yaml`;
}

/** Whether a git command ends well. */
function git(...args: readonly string[]): boolean {
  return spawnSync("git", args, { stdio: "ignore" }).status === 0;
}
