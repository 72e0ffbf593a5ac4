import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { brokenChain, folders, type Outcome, servedFiles } from "../components/certificate/acme/renewal.ts";
import { covers, isIssuedBy, outOfDate, parseCertificates } from "../components/certificate/chain.ts";
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
  if (certifier === undefined) return true;
  const { url, caCertificate } = await stack.outputs();
  const name = new URL(url).hostname;
  const isServed = () => hasCertificate(certifier, name, caCertificate);
  if (isServed()) return true;
  console.error(`▸ Waiting up to 3 minutes for the authority to issue a certificate for ${name}`);
  // A try that failed before may have been for settings that are right now.
  askNow(certifier);
  let told: string | undefined;
  for (const end = Date.now() + patience; Date.now() < end; await sleep(1000)) {
    throwIfInterrupted();
    if (isServed()) return true;
    const { at, why } = outcomeOf(certifier) ?? {};
    if (why !== undefined && at !== told) console.error(`▸ The authority has issued none yet: ${why}`);
    told = at;
  }
  console.error(
    `▸ No certificate was issued, so no client trusts the registry. The next tries are made without you. ` +
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
  const asked = askNow(certifier);
  for (const end = Date.now() + patience; Date.now() < end; await sleep(500)) {
    throwIfInterrupted();
    const outcome = outcomeOf(certifier);
    if (!outcome?.asked.includes(asked)) continue;
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
export const showOutcome = `cat ${folders.state}/outcome.json 2>/dev/null || true`;

function certifierOf(stack: Stack): string | undefined {
  return containersIn("certifier", stack).find(({ state }) => state === "running")?.id;
}

/** Whether the proxy serves a certificate that clients accept for a name now. */
function hasCertificate(certifier: string, name: string, authority: string): boolean {
  const chain = parseCertificates(inside(certifier, `cat ${folders.certificate}/current/${servedFiles.certificate}`));
  const [leaf] = chain;
  if (leaf === undefined || !covers(leaf, name) || outOfDate(leaf, new Date()) !== undefined) return false;
  // A placeholder signed itself.
  return !isIssuedBy(leaf, leaf) && brokenChain(chain, authority === "" ? undefined : authority) === undefined;
}

/** @returns What the outcome of the try is marked with: one that is under way began too early. */
function askNow(certifier: string): string {
  const asked = randomUUID();
  inside(certifier, `echo ${asked} >>${folders.state}/now`);
  return asked;
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
