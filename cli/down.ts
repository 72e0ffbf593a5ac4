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
      `Kept: volume ${volume} with all that was pushed; taken again by: make up STACK=${stack.name}; deleted by: make purge STACK=${stack.name}`,
    );
  }
}

/** Takes a stack down with all that was pushed, once somebody has confirmed that. */
export async function purge(stack: Stack): Promise<void> {
  const { dataPath = "" } = ownSettings(project, await stack.configuration());
  const { isOnMachine, volume } = await takeDown(stack, () => confirm(stack.name));
  // Last of all, so that nothing that fails before leaves the data without its protection.
  await stack.pulumi([...stack.about("state", "unprotect"), "--all", "--yes"]);
  await remove(stack);
  if (isOnMachine) outputOf("docker", ["volume", "rm", "--force", volume]);
  for (const file of [stack.unfinished, `.state/ssh/${stack.name}`, `.state/ssh/${stack.name}.config`])
    rmSync(file, { force: true });
  if (dataPath !== "") console.log(`Kept: the folder ${dataPath}, which is yours.`);
  await stack.show(["stack", "rm", stack.name, "--yes", "--preserve-config"]);
  removeSalt(stack.name);
}

/** Takes down all but what is protected, after what was asked about it. */
async function takeDown(stack: Stack, ask = () => Promise.resolve()) {
  await stack.state();
  const { target, reached, variables } = await engineOf(stack);
  setVariables(variables);
  await ask();
  // A machine that goes as a whole isn't asked about what runs on it.
  const isOnMachine = target === "local" || target === "ssh";
  if (target === "ssh" && !engineAnswers()) {
    throw new UserError(
      `The machine does not answer, so that nothing can be taken down there. If it is gone for good, this forgets what ` +
        `was on it: pulumi stack rm --force ${stack.name}\n${inNewShell(stack.name)}`,
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

/** CONFIRM in the environment names the stack, or a person at the terminal types its name. */
async function confirm(name: string): Promise<void> {
  if (process.env["CONFIRM"] === name) return;
  if (!process.stdin.isTTY) {
    throw new UserError(
      `This deletes every image that was pushed to ${name}. To mean it: make purge STACK=${name} CONFIRM=${name}`,
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const typed = await terminal.question(
    `This deletes every image that was pushed to ${name}. Type its name to go on: `,
  );
  terminal.close();
  if (typed !== name) throw new UserError(`That is not ${name}: nothing was deleted.`);
}
