// Keeps the proxy's certificate up to date. Runs in a container of its own, without a network: lego talks to the
// authority, in another container, and this program asks it to, checks what it obtained, and puts that where the proxy
// reads it at the next handshake.

import { createHash, X509Certificate } from "node:crypto";
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
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import {
  fileNameOf,
  folders,
  isBroken,
  isUrgent,
  legoWords,
  lifeOf,
  type Outcome,
  pauseAfter,
  problemWith,
  reasonIn,
  type RenewalSettings,
  servedFiles,
} from "./renewal.ts";

const { state, certificate: served } = folders;
const files = {
  request: join(state, "request"),
  answer: join(state, "answer"),
  printed: join(state, "printed"),
  /** Whoever wants the next look now appends a name for it, in a line. */
  now: join(state, "now"),
  outcome: join(state, "outcome.json"),
  /** Why the container is unhealthy, while it is. */
  unwell: "/tmp/unwell",
} as const;

const settings = JSON.parse(readFileSync(join(process.argv[2] ?? "", "settings.json"), "utf8")) as RenewalSettings;
const digest = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 16);

/** Accounts belong to an authority; a certificate belongs to its names and its key's type as well. */
const authority = join(state, new URL(settings.server).host.replaceAll(":", "-"), digest(settings.server));
const folder = join(authority, digest([...settings.names, settings.keyType, settings.profile].join("\n")));
const stored = join(folder, "certificates", fileNameOf(settings));

for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => process.exit());
process.umask(0o077);
prepare();

let last = lastOutcome();
// Also while lego is asked, which takes minutes if the authority doesn't answer.
setInterval(tellHealth, 1000);
for (;;) {
  const asked = await pause();
  last = { ...(await look(last?.failures ?? 0)), asked };
  writeFileSync(`${files.outcome}.new`, JSON.stringify({ ...last, settings: folder }));
  renameSync(`${files.outcome}.new`, files.outcome);
  console.log(JSON.stringify(last));
}

/** Makes the folders, and has what is stored already served. */
function prepare(): void {
  mkdirSync(join(authority, "accounts"), { recursive: true });
  mkdirSync(folder, { recursive: true });
  // Another certificate is for the same account.
  if (!existsSync(join(folder, "accounts"))) symlinkSync(join(authority, "accounts"), join(folder, "accounts"));
  if (existsSync(`${stored}.crt`)) takeUp();
}

/** What the last try came to, unless it was for other settings. */
function lastOutcome(): Outcome | undefined {
  if (!existsSync(files.outcome)) return undefined;
  const { settings: of, ...outcome } = JSON.parse(readFileSync(files.outcome, "utf8")) as Outcome & {
    settings: string;
  };
  return of === folder ? outcome : undefined;
}

/**
 * Waits until the next look is due or somebody asks for it.
 *
 * @returns What those who asked call this look.
 */
async function pause(): Promise<string[]> {
  while (last !== undefined && Date.parse(last.next) > Date.now() && !existsSync(files.now)) await sleep(1000);
  if (!existsSync(files.now)) return [];
  const asked = readFileSync(files.now, "utf8").trim().split("\n");
  rmSync(files.now);
  return asked;
}

/** Asks lego for a certificate, and has it served if it is a new one. */
async function look(failures: number): Promise<Omit<Outcome, "asked">> {
  const before = current();
  const why = (await askLego()) ?? takeUp();
  const leaf = current();
  const now = new Date();
  const failed = why === undefined ? 0 : failures + 1;
  const seconds = pauseAfter(failed, leaf && lifeOf(leaf, now).life);
  return {
    at: now.toISOString(),
    result: why !== undefined ? "failed" : before?.fingerprint256 === leaf?.fingerprint256 ? "kept" : "issued",
    why,
    failures: failed,
    next: new Date(now.getTime() + seconds * 1000).toISOString(),
  };
}

/** @returns Why it failed; undefined if it did what it was asked for. */
async function askLego(): Promise<string | undefined> {
  // One that was asked before this container was replaced must end first.
  while (existsSync(files.request)) await sleep(500);
  rmSync(files.answer, { force: true });
  const isRenewal = [".crt", ".json"].every((ending) => existsSync(stored + ending));
  writeFileSync(
    `${files.request}.new`,
    legoWords(settings, { folder, isRenewal })
      .map((word) => `${word}\n`)
      .join(""),
  );
  renameSync(`${files.request}.new`, files.request);
  while (!existsSync(files.answer) || existsSync(files.request)) await sleep(500);
  if (readFileSync(files.answer, "utf8").trim() === "0") return undefined;
  const reason = reasonIn(readFileSync(files.printed, "utf8"));
  // An authority that has lost its accounts refuses whatever is asked in the name of one.
  if (reason.includes("accountDoesNotExist")) forgetAccount();
  return reason;
}

/** Lets the next try register a new account. A certificate that is renewed needs one that is registered. */
function forgetAccount(): void {
  for (const name of readdirSync(join(authority, "accounts")))
    rmSync(join(authority, "accounts", name), { recursive: true });
  rmSync(`${stored}.json`, { force: true });
}

/**
 * Has the stored certificate served, if it is right.
 *
 * @returns What is wrong with it.
 */
function takeUp(): string | undefined {
  const [chain, key] = [readFileSync(`${stored}.crt`, "utf8"), readFileSync(`${stored}.key`, "utf8")];
  const wrong = problemWith(chain, key, settings, new Date());
  if (wrong !== undefined) {
    // What is whole stays: for one that nobody trusts, or not yet, the authority would issue the same again and again.
    if (isBroken(chain, key)) renameSync(`${stored}.crt`, `${stored}.refused`);
    return `The certificate that the authority gave ${wrong}.`;
  }
  const name = digest(chain + key);
  const before = linked();
  if (before === name) return undefined;
  const made = join(served, "new");
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made);
  writeFileSync(join(made, servedFiles.certificate), chain, { flush: true });
  writeFileSync(join(made, servedFiles.key), key, { flush: true });
  rmSync(join(served, name), { recursive: true, force: true });
  renameSync(made, join(served, name));
  rmSync(join(served, "next"), { force: true });
  symlinkSync(name, join(served, "next"));
  renameSync(join(served, "next"), join(served, "current"));
  // A handshake may have read one file of the pair before, and want the other.
  const kept = ["current", name, before];
  for (const old of readdirSync(served)) if (!kept.includes(old)) rmSync(join(served, old), { recursive: true });
  return undefined;
}

/** The folder that the proxy reads. */
function linked(): string | undefined {
  try {
    return readlinkSync(join(served, "current"));
  } catch {
    return undefined;
  }
}

/** The certificate that the proxy serves, if an authority issued it. */
function current(): X509Certificate | undefined {
  const file = join(served, "current", servedFiles.certificate);
  if (!existsSync(file)) return undefined;
  const certificate = new X509Certificate(readFileSync(file));
  return certificate.issuer === certificate.subject ? undefined : certificate;
}

/** The health check of the container looks for the file. */
function tellHealth(): void {
  const leaf = current();
  const left = leaf && lifeOf(leaf, new Date());
  const why = last?.why ?? "a try is under way";
  if (left === undefined) writeFileSync(files.unwell, `no certificate was issued yet: ${why}\n`);
  else if (isUrgent(left)) writeFileSync(files.unwell, `the certificate ends on ${leaf?.validTo ?? ""}: ${why}\n`);
  else rmSync(files.unwell, { force: true });
}
