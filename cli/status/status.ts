import type { Role } from "../../components/labels.ts";
import type { Outputs } from "../../components/outputs.ts";
import { messageOf, UserError } from "../../components/userError.ts";
import { parseConfiguration } from "../../settings/index.ts";
import type { Parsed } from "../../settings/settings.ts";
import { engineOf, type StackEngine } from "../engine.ts";
import { project, setVariables } from "../environment.ts";
import { isRunning } from "../lock.ts";
import { CommandFailed, Interrupted } from "../processes.ts";
import type { Stack } from "../stack.ts";
import { askCertificate, judgeCertificate } from "./certificate.ts";
import { askChanges, judgeLastRun } from "./changes.ts";
import { judgeCollection } from "./collection.ts";
import {
  askCollection,
  askContainers,
  askDisk,
  askRenewal,
  type Container,
  judgeContainers,
  judgeDisk,
} from "./containers.ts";
import { exitCodes, type Finding, renderTable, resultOf } from "./finding.ts";
import { judgeRenewal } from "./renewal.ts";

export interface StatusOptions {
  /** Prints JSON, for scripts. */
  readonly json: boolean;
  /** Leaves out what takes longest: what `make up` would change, and the size of the images. */
  readonly quick: boolean;
}

/**
 * Prints what is deployed and whether it is well. Changes nothing.
 *
 * @returns The exit code: 0 well, 1 something needs a person, 2 it could not be found out.
 */
export async function status(stack: Stack, options: StatusOptions): Promise<number> {
  const findings = await findingsOf(stack, options.quick).catch(unreadable);
  return print(stack.name, findings, options);
}

/** The same for a stack that can't even be opened: its state or the tools are missing. */
export function statusUnopened(stack: string, error: unknown, options: StatusOptions): number {
  return print(stack, unreadable(error), options);
}

function unreadable(error: unknown): Finding[] {
  if (error instanceof Interrupted) throw error;
  const isTold = error instanceof CommandFailed;
  const what = isTold ? "can't be read: a command failed, and printed why" : messageOf(error);
  return [{ about: "stack", is: "unknown", what }];
}

function print(stack: string, findings: readonly Finding[], { json }: StatusOptions): number {
  const result = resultOf(findings);
  if (json) console.log(JSON.stringify({ stack, result, findings }, undefined, 2));
  else console.log(`\n${renderTable(findings)}\n\n  ${words[result]}`);
  return exitCodes[result];
}

const words = {
  well: "All is well.",
  wrong: "Something needs you: see the lines with ✗.",
  unknown: "Whether all is well could not be found out: see the lines with ?.",
} as const;

async function findingsOf(stack: Stack, quick: boolean): Promise<Finding[]> {
  const [configuration, state] = await Promise.all([stack.configuration(), stack.state()]);
  const { settings, problems } = parseConfiguration(project, configuration);
  const wrong = problems.map((problem): Finding => ({
    about: "settings",
    is: "wrong",
    what: `${problem.setting}: ${problem.wrong}. ${problem.cure}`,
  }));
  const isActive = isRunning(stack.name);
  const lastRun = judgeLastRun(stack, isActive, state.pending.length > 0);
  const outputs = await stack.outputs().catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    return error.message;
  });
  if (typeof outputs === "string") return [...wrong, ...lastRun, { about: "stack", is: "wrong", what: outputs }];

  const changes = quick || problems.length > 0 ? [] : [askChanges(stack)];
  const engine = await engineOf(stack).catch((error: unknown) => messageOf(error));
  const running = await onEngine(stack, engine, settings, quick);
  // Where the engine doesn't answer either, the machine or the network from here is off.
  const isAway = running.some(({ about, is }) => about === "engine" && is !== "well");
  const deployed = [...(await atEndpoint(stack, outputs, settings, isAway)), ...running];
  return [
    ...wrong,
    ...lastRun,
    // Containers come and go meanwhile.
    ...(isActive ? deployed.map(asPassing) : deployed),
    usersOf(outputs, settings),
    ...(await Promise.all(changes)),
  ];
}

/** What is wrong now may be right when the run has ended. */
function asPassing(finding: Finding): Finding {
  return finding.is === "wrong" ? { ...finding, is: "unknown" } : finding;
}

/** What a client meets. */
async function atEndpoint(stack: Stack, outputs: Outputs, settings: Parsed, isAway: boolean): Promise<Finding[]> {
  const { endpoint, url, address } = outputs;
  const facts = { url, address };
  try {
    const served = await askCertificate(outputs);
    return [
      { about: "endpoint", is: "well", what: url, facts },
      judgeCertificate(served, settings.certificate?.mode, new Date(), stack.name),
    ];
  } catch (error) {
    const what = `${endpoint} does not answer: ${messageOf(error)}`;
    return [{ about: "endpoint", is: isAway ? "unknown" : "wrong", what, facts }];
  }
}

/** What runs on the engine, and its disk. */
async function onEngine(
  stack: Stack,
  engine: StackEngine | string,
  { images = { registry: "", proxy: "", lego: "", node: "" }, certificate, care }: Parsed,
  quick: boolean,
): Promise<Finding[]> {
  if (typeof engine === "string") return [{ about: "engine", is: "wrong", what: engine }];
  if (engine.reached === "none") {
    return [
      { about: "engine", is: "wrong", what: `the machine is not ready. To finish it: make up STACK=${stack.name}` },
    ];
  }
  setVariables(engine.variables);
  try {
    const wanted: Partial<Record<Role, string>> = {
      proxy: images.proxy,
      registry: images.registry,
      ...(certificate?.mode === "acme" && { certifier: images.node, lego: images.lego }),
      ...(care && { keeper: images.node }),
    };
    const found = await askContainers(stack, Object.values(wanted));
    return [
      ...(Object.keys(wanted) as Role[]).flatMap((role) =>
        judgeContainers(role, found.containers, found.images, wanted[role] ?? "", stack.name),
      ),
      ...(await renewalOf(found.containers, stack)),
      ...(await jobsOf(found.containers, care, stack)),
      await storageOf(found.containers, quick),
    ];
  } catch (error) {
    return [silent(messageOf(error), stack.name)];
  }
}

async function renewalOf(containers: readonly Container[], stack: Stack): Promise<Finding[]> {
  const certifier = containers.find(({ role, state }) => role === "certifier" && state === "running");
  if (certifier === undefined) return [];
  return askRenewal(certifier.id).then(
    (outcome) => [judgeRenewal(outcome, stack.name, new Date())],
    (error: unknown) => [{ about: "renewal", is: "unknown", what: messageOf(error) }],
  );
}

async function jobsOf(containers: readonly Container[], care: Parsed["care"], stack: Stack): Promise<Finding[]> {
  const keeper = containers.find(({ role, state }) => role === "keeper" && state === "running");
  if (keeper === undefined || care === undefined) return [];
  return askCollection(keeper.id).then(
    (result) => [judgeCollection(result, care.collect, stack.name, new Date())],
    (error: unknown) => [{ about: "collection", is: "unknown", what: messageOf(error) }],
  );
}

async function storageOf(containers: readonly Container[], quick: boolean): Promise<Finding> {
  const running = containers.find(({ role, state }) => role === "registry" && state === "running");
  if (running === undefined) return { about: "storage", is: "unknown", what: "no registry runs that could look" };
  return askDisk(running.id, !quick).then(judgeDisk, (error: unknown) => ({
    about: "storage",
    is: "unknown",
    what: messageOf(error),
  }));
}

/** An engine that doesn't answer may be well; one that shows another host key needs a person. */
function silent(reason: string, stack: string): Finding {
  const about = "engine";
  if (/host key verification failed/i.test(reason)) {
    const what = `the machine shows another host key than the one that make up STACK=${stack} knows: see docs/runbook.md`;
    return { about, is: "wrong", what };
  }
  return { about, is: "unknown", what: `does not answer: ${reason}` };
}

function usersOf({ usernames }: Outputs, { users = [] }: Parsed): Finding {
  const roles = usernames.map((name) => ({ name, role: users.find((user) => user.name === name)?.role }));
  const what = roles.map(({ name, role }) => (role === undefined ? name : `${name} (${role})`)).join(", ");
  return { about: "users", is: "note", what, facts: { users: roles } };
}
