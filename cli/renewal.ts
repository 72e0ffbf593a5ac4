import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { type Outcome, stateFolder, triesLeft } from "../components/certificate/acme/renewal.ts";
import { outOfDate, parseCertificates } from "../components/certificate/chain.ts";
import { servedFiles, servedFolders } from "../components/certificate/served.ts";
import { UserError } from "../components/userError.ts";
import { containersIn } from "./containers.ts";
import { engineOf } from "./engine.ts";
import { setVariables } from "./environment.ts";
import { CommandFailed, outputOf, throwIfInterrupted } from "./processes.ts";
import type { Stack } from "./stack.ts";

/** How long an authority may take for a certificate, in milliseconds. */
const patience = 180_000;

/**
 * Waits until a stack whose certificate an authority issues has one, as after the first `up` or another hostname.
 *
 * @returns Whether clients can be served: there is a certificate, or none is expected.
 */
export async function waitForCertificate(stack: Stack): Promise<boolean> {
  const certifier = certifierOf(stack);
  if (certifier === undefined || isServed(certifier)) return true;
  console.error("▸ Waiting up to 3 minutes for the authority to issue the certificate");
  let last = outcomeOf(certifier);
  // It failed before something was fixed.
  if (last?.result === "failed") askNow(certifier);
  for (const end = Date.now() + patience; Date.now() < end; await sleep(1000)) {
    throwIfInterrupted();
    if (isServed(certifier)) return true;
    const now = outcomeOf(certifier);
    if (now?.result === "failed" && now.at !== last?.at)
      console.error(`▸ The authority has issued none yet: ${now.why ?? ""}`);
    last = now;
  }
  console.error(
    `▸ No certificate was issued for these settings. The next tries are made without you. ` +
      `To see them: make status STACK=${stack.name}. To try at once: make renew STACK=${stack.name}`,
  );
  return false;
}

/** Has the certificate renewed now, if it is due. */
export async function renew(stack: Stack): Promise<void> {
  await stack.state();
  setVariables((await engineOf(stack)).variables);
  const certifier = certifierOf(stack);
  if (certifier === undefined) {
    throw new UserError(
      `No authority renews the certificate of stack ${stack.name}: that is for the mode acme of the setting certificate.`,
    );
  }
  const { failed = [], next = "" } = outcomeOf(certifier) ?? {};
  if (triesLeft(failed, new Date()) === 0) {
    throw new UserError(
      `Five tries have failed within an hour, and the authority may accept no more. The next one is made at ${next}.`,
    );
  }
  const asked = askNow(certifier);
  for (const end = Date.now() + patience; Date.now() < end; await sleep(500)) {
    throwIfInterrupted();
    const outcome = answerTo(asked, certifier);
    if (outcome === undefined) continue;
    if (outcome.why !== undefined) throw new UserError(`The certificate was not renewed: ${outcome.why}`);
    console.log(outcome.result === "issued" ? "The authority has issued a new certificate." : "It is not due yet.");
    return;
  }
  throw new UserError(`There is no answer after 3 minutes. To see why: make logs STACK=${stack.name}`);
}

/** What the last try of a certifier came to; undefined before the first one. */
export function parseOutcome(printed: string): Outcome | undefined {
  return printed === "" ? undefined : (JSON.parse(printed) as Outcome);
}

/** Prints the last outcome, if there is one. */
export const showOutcome = `cat ${stateFolder}/outcome.json 2>/dev/null || true`;

/** Also one that is just being restarted. */
function certifierOf(stack: Stack): string | undefined {
  return containersIn("certifier", stack)[0]?.id;
}

/** Whether the proxy serves the certificate for the settings of this certifier, and it has not run out. */
function isServed(certifier: string): boolean {
  const file = `${servedFolders.certificate}/current/${servedFiles.certificate}`;
  const [leaf] = parseCertificates(inside(certifier, `[ ! -e /tmp/serves ] || cat ${file}`));
  return leaf !== undefined && outOfDate(leaf, new Date()) === undefined;
}

/** @returns What the outcome of the try is marked with: one that is under way began too early. */
function askNow(certifier: string): string {
  const asked = randomUUID();
  outputOf("docker", ["exec", certifier, "sh", "-c", `echo ${asked} >>${stateFolder}/now`]);
  return asked;
}

/**
 * What the try came to that somebody asked for; undefined until it has ended. From the log: the last outcome may already
 * be that of the next try, which somebody else asked for.
 */
function answerTo(asked: string, certifier: string): Outcome | undefined {
  const script = 'docker logs --tail 100 "$1" 2>/dev/null | grep -F "$2" || true';
  return parseOutcome(outputOf("sh", ["-c", script, "-", certifier, asked]));
}

function outcomeOf(certifier: string): Outcome | undefined {
  return parseOutcome(inside(certifier, showOutcome));
}

function inside(container: string, script: string): string {
  try {
    return outputOf("docker", ["exec", container, "sh", "-c", script]);
  } catch (error) {
    // It is being replaced, or restarts.
    if (error instanceof CommandFailed) return "";
    throw error;
  }
}
