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
  if (await takeDown(stack)) tellVolumes(stack);
  else await tellKept(stack);
  console.log(
    `Deleted: generated passwords and the stack's own authority. New ones are made by: make up STACK=${stack.name}`,
  );
}

/** Takes a stack down and deletes all pushed images, after a confirmation. */
export async function purge(stack: Stack): Promise<void> {
  const { dataPath = "" } = ownSettings(project, await stack.configuration());
  const isOnEngine = await takeDown(stack, () => confirm(stack.name));
  // Last of all, so that an earlier failure doesn't leave the data unprotected.
  await stack.pulumi([...stack.about("state", "unprotect"), "--all", "--yes"]);
  await remove(stack);
  if (isOnEngine) outputOf("docker", ["volume", "rm", "--force", ...Object.keys(volumesOf(stack))]);
  for (const file of [stack.unfinished, `.state/ssh/${stack.name}`, `.state/ssh/${stack.name}.config`])
    rmSync(file, { force: true });
  if (dataPath !== "") console.log(`Kept: the folder ${dataPath}, which you can delete yourself.`);
  await stack.show(["stack", "rm", stack.name, "--yes", "--preserve-config"]);
  removeSalt(stack.name);
}

/**
 * Takes down everything but protected resources, once `ask` has resolved.
 *
 * @returns Whether its engine stays, with the volumes that are kept.
 */
async function takeDown(stack: Stack, ask = () => Promise.resolve()): Promise<boolean> {
  await stack.state();
  const { target, reached, variables } = await engineOf(stack);
  setVariables(variables);
  await ask();
  // A machine that is deleted as a whole isn't asked about its containers.
  const isOnEngine = target === "local" || target === "ssh";
  if (target === "ssh" && !engineAnswers()) {
    throw new UserError(
      `The machine does not answer, so nothing can be taken down there. If it is gone for good, remove the stack from ` +
        `the state: pulumi stack rm --force ${stack.name}\n${inNewShell(stack.name)}`,
    );
  }
  await recover(stack, isOnEngine ? reached : "none");
  await refreshCloud(stack);
  await remove(stack, "--exclude-protected");
  return isOnEngine;
}

/** The volumes of an engine that outlive a stack, if it had them, and what each holds. */
function volumesOf({ fullName }: Stack): Readonly<Record<string, string>> {
  return {
    [`${fullName}-data`]: "all pushed images",
    [`${fullName}-acme-state`]: "the certificate and the account at its authority",
  };
}

function tellVolumes(stack: Stack): void {
  for (const [volume, content] of Object.entries(volumesOf(stack)))
    if (volumeExists(volume))
      console.log(
        `Kept: volume ${volume} with ${content}. To use it again: make up STACK=${stack.name}. To delete it: make purge STACK=${stack.name}`,
      );
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
