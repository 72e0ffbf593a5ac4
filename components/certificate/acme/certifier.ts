// Keeps the proxy's certificate up to date. Runs in a container of its own, without a network: lego talks to the
// authority, in another container, and this program asks it to, checks what it obtained, and puts that where the proxy
// reads it at the next handshake. It can be killed at any moment, and goes on where it was.

import { X509Certificate } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { shortDigest } from "../../digest.ts";
import { servedFiles, servedFolders } from "../served.ts";
import {
  fileNameOf,
  isBroken,
  isDue,
  isUrgent,
  legoWords,
  lifeOf,
  type Outcome,
  pauseAfter,
  problemWith,
  reasonIn,
  type RenewalSettings,
  stateFolder,
  triesLeft,
} from "./renewal.ts";

const state = stateFolder;
const live = servedFolders.certificate;
const files = {
  request: join(state, "request"),
  /** The request while lego runs. */
  taken: join(state, "taken"),
  answer: join(state, "answer"),
  printed: join(state, "printed"),
  /** Whoever wants the next look now appends a name for it, in a line. */
  now: join(state, "now"),
  outcome: join(state, "outcome.json"),
  /** Exists while the proxy serves the certificate for these settings. */
  serves: "/tmp/serves",
  /** Why the container is unhealthy, while it is. */
  unwell: "/tmp/unwell",
} as const;

const settings = JSON.parse(readFileSync(join(process.argv[2] ?? "", "settings.json"), "utf8")) as RenewalSettings;

/** Accounts belong to a server; a certificate also belongs to all that it was asked for. */
const server = join(state, new URL(settings.server).host.replaceAll(":", "-"), shortDigest(settings.server));
const { names, keyType, profile, authority } = settings;
const folder = join(server, shortDigest(JSON.stringify([names, keyType, profile, authority])));
const stored = join(folder, "certificates", fileNameOf(settings));
const account = settings.email ?? "noemail@example.com";

for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => process.exit());
process.umask(0o077);

/** The certificate for these settings, once the proxy serves it. */
let leaf: X509Certificate | undefined;
const before = readOutcome();
let last = before?.settings === folder ? before : undefined;
let failed = before?.failed ?? [];

mkdirSync(join(server, "accounts"), { recursive: true });
mkdirSync(folder, { recursive: true });
// Another certificate is for the same account.
if (!existsSync(join(folder, "accounts"))) symlinkSync(join(server, "accounts"), join(folder, "accounts"));
if (existsSync(`${stored}.crt`)) tryToTakeUp();
// Also while lego is asked, which takes minutes if the authority doesn't answer.
setInterval(tellHealth, 1000);

for (;;) {
  last = await look(await pause());
  console.log(JSON.stringify(last));
}

/**
 * Waits until the next look is due or somebody asks for it.
 *
 * @returns What those who asked call this look.
 */
async function pause(): Promise<string[]> {
  const isWanted = () => last === undefined || existsSync(files.now);
  const isTime = (now: Date) => (isWanted() && triesLeft(failed, now) > 0) || (last !== undefined && isDue(last, now));
  while (!isTime(new Date())) await sleep(1000);
  if (!existsSync(files.now)) return [];
  renameSync(files.now, `${files.now}.taken`);
  const asked = read(`${files.now}.taken`).trim().split("\n");
  rmSync(`${files.now}.taken`);
  return asked;
}

/** Asks lego for a certificate, and has it served if it is a new one. */
async function look(asked: readonly string[]): Promise<Outcome> {
  const failures = last === undefined || ["kept", "issued"].includes(last.result) ? 0 : last.failures;
  const end = (result: Outcome["result"], why?: string): Outcome => {
    const now = new Date();
    const isGood = result === "kept" || result === "issued";
    const count = isGood ? 0 : failures + 1;
    const pause = pauseAfter(count, leaf && lifeOf(leaf, now).life);
    const next = new Date(now.getTime() + pause * 1000).toISOString();
    const at = now.toISOString();
    return {
      at,
      result,
      why,
      failures: count,
      // A private authority sets its own limits, if any.
      failed: isGood || authority !== undefined ? failed : [...failed.slice(-9), at],
      next,
      asked,
      settings: folder,
    };
  };
  // Counts as failed until it has ended: who is killed in the middle of it doesn't ask again at once.
  if (!record(end("begun", last?.why))) return end("failed", "the disk with account and certificates is full");
  const earlier = leaf?.fingerprint256;
  const why = (await askLego()) ?? tryToTakeUp();
  const outcome = why === undefined ? end(earlier === leaf?.fingerprint256 ? "kept" : "issued") : end("failed", why);
  ({ failed } = outcome);
  record(outcome);
  return outcome;
}

/** @returns Whether there is room for it, and for what lego will store: a certificate that can't be would be lost. */
function record(outcome: Outcome): boolean {
  const spare = join(state, "spare");
  try {
    writeFileSync(spare, Buffer.alloc(1 << 18), { flush: true });
    writeFileSync(`${files.outcome}.new`, JSON.stringify(outcome), { flush: true });
    renameSync(`${files.outcome}.new`, files.outcome);
    return true;
  } catch (error) {
    console.error(String(error));
    return false;
  } finally {
    rmSync(spare, { force: true });
  }
}

function readOutcome(): Outcome | undefined {
  try {
    return JSON.parse(read(files.outcome)) as Outcome;
  } catch {
    return undefined;
  }
}

/** @returns Why it failed; undefined if it did what it was asked for. */
async function askLego(): Promise<string | undefined> {
  const isPending = () => existsSync(files.request) || existsSync(files.taken);
  // One that was asked before this container was replaced must end first.
  while (isPending()) await sleep(500);
  rmSync(files.answer, { force: true });
  const isRenewal = hasAccount() && [".crt", ".key", ".json"].every((ending) => read(stored + ending) !== "");
  const words = legoWords(settings, { folder, isRenewal });
  writeFileSync(`${files.request}.new`, words.map((word) => `${word}\n`).join(""));
  renameSync(`${files.request}.new`, files.request);
  while (!existsSync(files.answer) || isPending()) await sleep(500);
  if (read(files.answer).trim() === "0") return undefined;
  const reason = reasonIn(read(files.printed));
  // An authority that has lost its accounts refuses whatever is asked in the name of one.
  if (reason.includes("accountDoesNotExist")) rmSync(join(server, "accounts"), { recursive: true });
  mkdirSync(join(server, "accounts"), { recursive: true });
  return reason;
}

/** Whether lego has registered with this email address: what is renewed without that fails. */
function hasAccount(): boolean {
  const accounts = join(server, "accounts");
  return readdirSync(accounts).some((name) => existsSync(join(accounts, name, account, "account.json")));
}

/** The same as `takeUp`, also if there is no room for it. */
function tryToTakeUp(): string | undefined {
  try {
    return takeUp();
  } catch (error) {
    return `The certificate can't be put where the proxy reads it: ${String(error)}`;
  }
}

/**
 * Has the stored certificate served, if it is right.
 *
 * @returns What is wrong with it.
 */
function takeUp(): string | undefined {
  const [chain, key] = [read(`${stored}.crt`), read(`${stored}.key`)];
  const wrong = problemWith(chain, key, settings, new Date());
  if (wrong !== undefined) {
    // What is whole stays: for one that nobody trusts, or not yet, the authority would issue the same again and again.
    if (isBroken(chain, key)) rmSync(`${stored}.crt`, { force: true });
    return `The certificate that the authority gave ${wrong}.`;
  }
  const name = shortDigest(chain + key);
  if (linked() !== name) serve(name, chain, key);
  leaf = new X509Certificate(chain);
  writeFileSync(files.serves, "");
  // Certificates for other settings: a key that was replaced doesn't come back.
  const kept = ["accounts", basename(folder)];
  for (const other of readdirSync(server)) if (!kept.includes(other)) rmSync(join(server, other), { recursive: true });
  return undefined;
}

/** Puts a pair where the proxy reads it. */
function serve(name: string, chain: string, key: string): void {
  const made = join(live, "new");
  const previous = linked();
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made);
  writeFileSync(join(made, servedFiles.certificate), chain, { flush: true });
  writeFileSync(join(made, servedFiles.key), key, { flush: true });
  rmSync(join(live, name), { recursive: true, force: true });
  renameSync(made, join(live, name));
  rmSync(join(live, "next"), { force: true });
  symlinkSync(name, join(live, "next"));
  renameSync(join(live, "next"), join(live, "current"));
  // A handshake may have read one file of the pair before, and want the other.
  const kept = ["current", name, previous];
  for (const old of readdirSync(live)) if (!kept.includes(old)) rmSync(join(live, old), { recursive: true });
}

/** The folder that the proxy reads. */
function linked(): string | undefined {
  try {
    return readlinkSync(join(live, "current"));
  } catch {
    return undefined;
  }
}

/** The text of a file; empty if it can't be read. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** The health check of the container looks for the file. */
function tellHealth(): void {
  const why = last?.why ?? "a try is under way";
  if (leaf === undefined) writeFileSync(files.unwell, `no certificate was issued for these settings yet: ${why}\n`);
  else if (isUrgent(lifeOf(leaf, new Date())))
    writeFileSync(files.unwell, `the certificate ends on ${leaf.validTo}: ${why}\n`);
  else rmSync(files.unwell, { force: true });
}
