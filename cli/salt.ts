import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * With the state in .state/, the salt that Pulumi writes into a stack file belongs to this checkout only. Makes git
 * ignore it, so that `git status` stays clean and `git pull` succeeds.
 */
export function hideSalt(stack: string): void {
  const file = stackFile(stack);
  if (!existsSync(join(".state", ".pulumi")) || !git("ls-files", "--error-unmatch", file)) return;
  git("config", "filter.encryptionsalt.clean", "sed '/^encryptionsalt:/d'");
  // If only the salt is new, git still sees another file size. `git add` makes it look again, and adds nothing.
  if (git("diff", "--quiet", "--", file)) git("add", "--", file);
}

/** Removes the salt of a removed stack, unless the stack file still has settings encrypted with it. */
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

/** Whether a git command succeeds. */
function git(...args: readonly string[]): boolean {
  return spawnSync("git", args, { stdio: "ignore" }).status === 0;
}
