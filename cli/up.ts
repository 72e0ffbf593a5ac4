import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { ownSettings } from "../settings/configuration.ts";
import { imagesOf } from "../settings/images.ts";
import { refreshCloud } from "./cloud.ts";
import { type StackEngine, engineOf } from "./engine.ts";
import { project, setVariables } from "./environment.ts";
import { CommandFailed, outputOf, run, succeeds, throwIfInterrupted } from "./processes.ts";
import { recover } from "./recover.ts";
import { waitForCertificate } from "./renewal.ts";
import { hideSalt } from "./salt.ts";
import { smoke } from "./smoke.ts";
import type { Stack } from "./stack.ts";
import { removeUploads } from "./uploads.ts";

/** The option for the policies that each stack must satisfy. */
export const policies = ["--policy-pack", "policy/pack"];

/**
 * Brings a stack up from any state, then checks that the registry works.
 *
 * @returns Whether the registry works.
 */
export async function up(stack: Stack): Promise<boolean> {
  await stack.init();
  const engine = await engineOf(stack);
  setVariables(engine.variables);
  const reached = await makeReady(stack, engine);
  try {
    await update(stack, engine, reached);
  } catch (error) {
    // The machine may only have been booting: then its containers were not checked.
    if (!(error instanceof CommandFailed) || engine.reached !== "machine" || reached !== "none") throw error;
    if (!(await answersSoon(engine.login)) || (await makeReady(stack, engine)) === "none") throw error;
    console.error("▸ The machine answers now: checking its containers, and trying again");
    await update(stack, engine, "machine");
  }
  hideSalt(stack.name);
  // A machine may be there only now, or be another one.
  setVariables((await engineOf(stack)).variables);
  const isServed = await waitForCertificate(stack);
  return (await smoke(stack)) && isServed;
}

/** Cleans up after an earlier run, then runs `pulumi up`. */
async function update(stack: Stack, { target }: StackEngine, reached: StackEngine["reached"]): Promise<void> {
  const again = await recover(stack, reached);
  if (reached !== "none") removeUploads(stack);
  if (target !== "local") await refreshCloud(stack);

  console.error(`▸ pulumi up --stack ${stack.name}`);
  closeSync(openSync(stack.unfinished, "w"));
  const options = ["--yes", "--skip-preview", "--suppress-outputs", ...policies, ...again];
  try {
    await stack.change([...stack.about("up"), ...options, ...(reached === "none" ? [] : ["--refresh"])]);
  } finally {
    stack.forgetState();
  }
  rmSync(stack.unfinished);
}

/** Makes sure that the engine answers and, if it is local, that it has its images. */
async function makeReady(stack: Stack, { target, reached, login }: StackEngine): Promise<StackEngine["reached"]> {
  switch (reached) {
    case "local":
      run("bootstrap/ensure-engine");
      await ensureImages(stack);
      return reached;
    case "machine":
      if (!succeeds("bootstrap/ensure-engine")) {
        // A machine in a cloud may be about to be replaced, or be gone. For a user's own machine, the program reports
        // what is wrong.
        console.error("▸ The machine does not answer: its containers are not checked");
        return "none";
      }
      if (login !== undefined && target !== "ssh" && existsSync(stack.unfinished)) restartDocker(login);
      return reached;
    case "none":
      return reached;
    default:
      return reached satisfies never;
  }
}

/** Waits up to half a minute more for a machine that may be booting. */
async function answersSoon(login = ""): Promise<boolean> {
  for (const end = Date.now() + 30_000; Date.now() < end;) {
    throwIfInterrupted();
    if (succeeds("ssh", ["-n", "-o", "ConnectTimeout=5", login, "true"], "ignore")) return true;
    await sleep(1000);
  }
  return false;
}

/** Pulls or builds the images of the stack that are missing. */
export async function ensureImages(stack: Stack): Promise<void> {
  run("bootstrap/ensure-images", imagesOf(ownSettings(project, await stack.configuration())));
}

/**
 * Restarts Docker on the machine: after a power loss in the middle of a container's start, its port stays taken until
 * then. On our machines the containers keep running meanwhile.
 */
function restartDocker(login: string): void {
  // systemd refuses too many starts within seconds, so the count is cleared first.
  const script = "sudo -n systemctl reset-failed docker.service; sudo -n systemctl restart docker.service";
  try {
    outputOf("ssh", [login, script]);
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    console.error("▸ Docker could not be restarted on the machine");
  }
}
