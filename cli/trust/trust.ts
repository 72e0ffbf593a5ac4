import { createInterface } from "node:readline/promises";

import { UserError } from "../../components/userError.ts";
import type { Stack } from "../stack.ts";
import { findClients, storeUpdate, type Target } from "./clients.ts";
import { isOutside, readText, removeFile, runProgramAsRoot, writeText } from "./files.ts";
import {
  appended,
  type Entry,
  foldersToRemove,
  readRecord,
  type TrustRecord,
  withoutOurs,
  writeRecord,
} from "./record.ts";

/**
 * Makes the clients of this machine trust the registry of a stack, with SYSTEM=1 also the system's store. Shows what it
 * will write, and asks before it touches anything outside the user's home folder.
 *
 * @throws UserError if there is nothing to install, or nothing to install it for, or the user doesn't agree.
 */
export async function trust(stack: Stack): Promise<void> {
  const outputs = await stack.outputs();
  const { endpoint, caCertificate, caFingerprint } = outputs;
  if (caCertificate === "") {
    throw new UserError(`Clients already trust the certificate of stack ${stack.name}: there is nothing to install.`);
  }
  const clients = findClients(outputs, stack.name, process.env["SYSTEM"] === "1");
  if (clients.length === 0) throw new UserError(noClient(stack.name));

  const due = clients.flatMap(({ name, files }) =>
    files.map((file) => ({ ...file, name, now: readText(file.path) })).filter(({ content, now }) => content !== now),
  );
  // Always: a run that was killed may have written the file only.
  const update = storeUpdate(clients.flatMap(({ files }) => files.map(({ path }) => path)));
  if (due.length === 0 && update === undefined) {
    console.log(`The clients of this machine already have the authority of ${endpoint}.`);
    return;
  }
  console.log(`To trust ${endpoint}, whose authority is SHA-256 ${caFingerprint}, this will be done:\n`);
  await confirm(
    [...due.map((file) => [file.path, `${file.name}; ${how(file)}`] as const), ...listed(update)],
    `make trust STACK=${stack.name}`,
  );

  // First, so that a run that is killed can be taken back.
  writeRecord(stack, recordWith(due, readRecord(stack)));
  for (const file of due) writeText(file.path, textFor(file));
  if (update) runProgramAsRoot(update[0], update.slice(1));

  console.log("\nDone.");
  const names = due.map(({ name }) => name);
  for (const { name, next } of clients) if (names.includes(name)) console.log(`  ${name}: ${next}`);
  console.log(`To take it out again: make untrust STACK=${stack.name}`);
}

/**
 * Takes out what `trust` wrote, and leaves the machine as it was. What others have changed since stays in the record.
 *
 * @returns Whether everything was taken out.
 * @throws UserError if there is nothing to take out, or the user doesn't agree.
 */
export async function untrust(stack: Stack): Promise<boolean> {
  const record = readRecord(stack);
  if (record.size === 0) throw new UserError(`Nothing of stack ${stack.name} is installed on this machine.`);
  const files = [...record].map(([path, entry]): Written => {
    const now = readText(path);
    return { path, entry, now, text: now === undefined ? null : withoutOurs(entry, now) };
  });
  const changed = files.filter(({ text }) => text === undefined);
  const rest = files.filter(({ text }) => text !== undefined);
  const update = storeUpdate(rest.map(({ path }) => path));

  if (rest.length > 0) {
    console.log(`To take out the authority of stack ${stack.name}, this will be done:\n`);
    const lines = rest.map((file) => [file.path, howBack(file)] as const);
    await confirm([...lines, ...listed(update)], `make untrust STACK=${stack.name}`);
  }
  for (const { path, entry, text } of rest) {
    // Also what is as it was: a run that was killed may have left files and folders beside it.
    if (typeof text === "string") writeText(path, text);
    else removeFile(path, entry.folders);
  }
  if (update) runProgramAsRoot(update[0], update.slice(1));
  writeRecord(stack, new Map(changed.map(({ path, entry }) => [path, entry])));
  for (const { path } of changed) {
    console.error(
      `▸ ${path} stays: somebody has changed what was written there. Change it yourself or delete it, then: make untrust STACK=${stack.name}`,
    );
  }
  return changed.length === 0;
}

function noClient(stack: string): string {
  return `No client was found on this machine: no Docker engine, podman, skopeo, buildah, containerd or BuildKit.
For all programs that use the system's store: make trust STACK=${stack} SYSTEM=1
For the clients of other machines: make trust-bundle STACK=${stack} DIR=trust`;
}

/** A file that is to be written, and its text now. */
type Due = Target & { readonly now: string | undefined };

/** A file of the record. */
interface Written {
  readonly path: string;
  readonly entry: Entry;
  readonly now: string | undefined;
  /** What it will be: null if it goes, undefined if it stays as somebody has changed it. */
  readonly text: string | null | undefined;
}

function how({ now, isShared }: Due): string {
  if (now === undefined) return "new";
  return isShared ? "appended to the file that is there" : "replaces the file that is there";
}

function howBack({ entry, now, text }: Written): string {
  if (text === (now ?? null)) return "is as it was";
  if (text === null) return "removed";
  return entry.isShared ? "only these lines are removed" : "gets its earlier text";
}

function textFor({ content, isShared, now = "" }: Due): string {
  return isShared ? now + appended(now, content) : content;
}

/** A record with the files that are to be written. */
function recordWith(due: readonly Due[], record: TrustRecord): TrustRecord {
  for (const file of due) {
    const { path, content, isShared = false, now } = file;
    const known = record.get(path);
    const ours = known?.ours ?? [];
    const isOurs = now !== undefined && ours.includes(now);
    record.set(path, {
      ours: [...new Set([...ours, isShared ? appended(now ?? "", content) : content])],
      // What is neither ours nor known is somebody's, who wants it back.
      before: known && isOurs ? known.before : (now ?? null),
      isShared,
      folders: foldersToRemove(path),
    });
  }
  return record;
}

function listed(update: readonly string[] | undefined): (readonly [string, string])[] {
  return update ? [[update.join(" "), "is run"]] : [];
}

/**
 * Shows what will be done, by path or command, and asks if any of it is outside the user's home folder.
 *
 * @param command The command that YES=1 is added to.
 * @throws UserError if the user doesn't agree.
 */
async function confirm(lines: readonly (readonly [what: string, how: string])[], command: string): Promise<void> {
  for (const [what, how] of lines) console.log(`  ${what}   (${how})`);
  if (process.env["YES"] === "1" || !lines.some(([what]) => isOutside(what))) return;
  const why = "Some of this is outside your home folder.";
  if (!process.stdin.isTTY) throw new UserError(`\n${why} To do it without a question: ${command} YES=1`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await new Promise<string>((resolve) => {
    // Ctrl-C and Ctrl-D, which leave the cursor where it is.
    const refuse = () => resolve("\n");
    terminal.once("close", refuse);
    terminal.question(`\n${why} Go on? [y/N] `).then(resolve, refuse);
  });
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new UserError(`${answer === "\n" ? "\n" : ""}Nothing was changed.`);
}
