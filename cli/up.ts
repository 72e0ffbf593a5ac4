import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { ownSettings } from "../settings/configuration.ts";
import { imagesOf } from "../settings/images.ts";
import { refreshCloud } from "./cloud.ts";
import { type StackEngine, engineOf } from "./engine.ts";
import { project, setVariables } from "./environment.ts";
import { CommandFailed, outputOf, run, succeeds, throwIfInterrupted } from "./processes.ts";
import { recover } from "./recover.ts";
import { hideSalt } from "./salt.ts";
import { smoke } from "./smoke.ts";
import type { Stack } from "./stack.ts";
import { removeUploads } from "./uploads.ts";

/** Where the rules are that each stack must satisfy. */
export const policies = ["--policy-pack", "policy/pack"];

/**
 * Brings a stack up from whatever state it is in, then proves that the registry works.
 *
 * @returns Whether it does.
 */
export async function up(stack: Stack): Promise<boolean> {
  await stack.init();
  const engine = await engineOf(stack);
  setVariables(engine.variables);
  const reached = await makeReady(stack, engine);
  try {
    await update(stack, engine, reached);
  } catch (error) {
    // One that was only booting had something on it that nobody looked at.
    if (!(error instanceof CommandFailed) || engine.reached !== "machine" || reached !== "none") throw error;
    if (!(await answersSoon(engine.login)) || (await makeReady(stack, engine)) === "none") throw error;
    console.error("▸ The machine answers now: looking at what runs there, and trying once more");
    await update(stack, engine, "machine");
  }
  hideSalt(stack.name);
  // A machine may be there only now, or be another one.
  setVariables((await engineOf(stack)).variables);
  return smoke(stack);
}

/** Clears away what an earlier run left, then has Pulumi do the rest. */
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

/** Has the engine answer, with the images that it will need, as far as that can be done from here. */
async function makeReady(stack: Stack, { target, reached, login }: StackEngine): Promise<StackEngine["reached"]> {
  switch (reached) {
    case "local":
      run("bootstrap/ensure-engine");
      await ensureImages(stack);
      return reached;
    case "machine":
      if (!succeeds("bootstrap/ensure-engine")) {
        // One that a cloud has may be about to be replaced, or be gone altogether; what is wrong with one of the user's own
        // the program says.
        console.error("▸ The machine does not answer: what runs there is not looked at");
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

/** Gives a machine that may be booting half a minute more. */
async function answersSoon(login = ""): Promise<boolean> {
  for (const end = Date.now() + 30_000; Date.now() < end;) {
    throwIfInterrupted();
    if (succeeds("ssh", ["-n", "-o", "ConnectTimeout=5", login, "true"], "ignore")) return true;
    await sleep(1000);
  }
  return false;
}

/** Gets or builds the images that the stack names, where they are missing. */
export async function ensureImages(stack: Stack): Promise<void> {
  run("bootstrap/ensure-images", imagesOf(ownSettings(project, await stack.configuration())));
}

/**
 * Where the power went in the middle of a container's start, its port is taken until Docker starts once more. On a machine
 * of ours containers live on meanwhile.
 */
function restartDocker(login: string): void {
  // Too many starts within seconds systemd refuses: that count is cleared first.
  const script = "sudo -n systemctl reset-failed docker.service; sudo -n systemctl restart docker.service";
  try {
    outputOf("ssh", [login, script]);
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    console.error("▸ Docker could not be restarted there");
  }
}
