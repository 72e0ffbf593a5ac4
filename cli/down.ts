import { rmSync } from "node:fs";
import { createInterface } from "node:readline/promises";

import { inNewShell } from "../components/commands.ts";
import { UserError } from "../components/userError.ts";
import { ownSettings } from "../settings/configuration.ts";
import { refreshCloud, tellKept } from "./cloud.ts";
import { engineOf } from "./engine.ts";
import { project, setVariables } from "./environment.ts";
import { CommandFailed, outputOf } from "./processes.ts";
import { recover } from "./recover.ts";
import { removeSalt } from "./salt.ts";
import type { Stack } from "./stack.ts";

/** Takes a stack down. The data volume stays. */
export async function destroy(stack: Stack): Promise<void> {
  const { isOnMachine, volume } = await takeDown(stack);
  if (!isOnMachine) await tellKept(stack);
  else if (volumeExists(volume)) {
    console.log(
      `Kept: volume ${volume} with all pushed images. To use it again: make up STACK=${stack.name}. To delete it: make purge STACK=${stack.name}`,
    );
  }
  console.log(
    `Deleted: generated passwords and the stack's own authority. New ones are made by: make up STACK=${stack.name}`,
  );
}

/** Takes a stack down and deletes all pushed images, after a confirmation. */
export async function purge(stack: Stack): Promise<void> {
  const { dataPath = "" } = ownSettings(project, await stack.configuration());
  const { isOnMachine, volume } = await takeDown(stack, () => confirm(stack.name));
  // Last of all, so that an earlier failure doesn't leave the data unprotected.
  await stack.pulumi([...stack.about("state", "unprotect"), "--all", "--yes"]);
  await remove(stack);
  if (isOnMachine) outputOf("docker", ["volume", "rm", "--force", volume, `${stack.fullName}-acme-state`]);
  for (const file of [stack.unfinished, `.state/ssh/${stack.name}`, `.state/ssh/${stack.name}.config`])
    rmSync(file, { force: true });
  if (dataPath !== "") console.log(`Kept: the folder ${dataPath}, which you can delete yourself.`);
  await stack.show(["stack", "rm", stack.name, "--yes", "--preserve-config"]);
  removeSalt(stack.name);
}

/** Takes down everything but protected resources, once `ask` has resolved. */
async function takeDown(stack: Stack, ask = () => Promise.resolve()) {
  await stack.state();
  const { target, reached, variables } = await engineOf(stack);
  setVariables(variables);
  await ask();
  // A machine that is deleted as a whole isn't asked about its containers.
  const isOnMachine = target === "local" || target === "ssh";
  if (target === "ssh" && !engineAnswers()) {
    throw new UserError(
      `The machine does not answer, so nothing can be taken down there. If it is gone for good, remove the stack from ` +
        `the state: pulumi stack rm --force ${stack.name}\n${inNewShell(stack.name)}`,
    );
  }
  await recover(stack, isOnMachine ? reached : "none");
  await refreshCloud(stack);
  await remove(stack, "--exclude-protected");
  return { isOnMachine, volume: `${stack.fullName}-data` };
}

function engineAnswers(): boolean {
  try {
    outputOf("docker", ["version"]);
    return true;
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    return false;
  }
}

async function remove(stack: Stack, ...options: readonly string[]): Promise<void> {
  await stack.change([...stack.about("destroy"), "--yes", "--skip-preview", ...options]);
  stack.forgetState();
}

function volumeExists(name: string): boolean {
  return outputOf("docker", ["volume", "ls", "--quiet", "--filter", `name=^${name}$`]).trim() !== "";
}

/** The confirmation is the name of the stack, in the variable CONFIRM or typed at the terminal. */
async function confirm(name: string): Promise<void> {
  if (process.env["CONFIRM"] === name) return;
  if (!process.stdin.isTTY) {
    throw new UserError(
      `This deletes every image that was pushed to ${name}. To confirm: make purge STACK=${name} CONFIRM=${name}`,
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const typed = await terminal.question(
    `This deletes every image that was pushed to ${name}. Type its name to continue: `,
  );
  terminal.close();
  if (typed !== name) throw new UserError(`That is not ${name}: nothing was deleted.`);
}
