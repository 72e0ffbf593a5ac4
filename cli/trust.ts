import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline/promises";

import { renderTrustBundle } from "../components/certificate/trustBundle.ts";
import type { Outputs } from "../components/outputs.ts";
import { UserError } from "../components/userError.ts";
import { CommandFailed, run } from "./processes.ts";
import type { Stack } from "./stack.ts";

/** A file with which a client of this machine trusts the registry. */
interface Target {
  /** `docker`, `podman, skopeo, buildah` … */
  readonly client: string;
  readonly path: string;
  readonly content: string;
}

/** What was written to a file, and what has to be there again when it is taken back. */
interface Written {
  readonly path: string;
  readonly content: string;
  /** Null: there was no file. */
  readonly before: string | null;
  /** The folders that were made for it, the outermost first. */
  readonly folders: readonly string[];
}

/**
 * Makes the clients of this machine trust the registry of a stack: those whose programs are on the PATH, and with SYSTEM=1
 * the system's store. Shows what it will write, and asks before it touches anything outside the user's home.
 */
export async function trust(stack: Stack): Promise<void> {
  const outputs = await stack.outputs();
  if (outputs.caCertificate === "")
    throw new UserError(`Clients already trust the certificate of stack ${stack.name}: there is nothing to install.`);
  const targets = targetsOf(outputs, stack.name, process.env["SYSTEM"] === "1");
  const due = targets.filter(({ path, content }) => read(path) !== content);
  if (due.length === 0) {
    console.log(`The clients of this machine trust ${outputs.endpoint} already.`);
    return;
  }
  console.log(`To trust ${outputs.endpoint}, whose authority is SHA-256 ${outputs.caFingerprint}, this writes:\n`);
  for (const { client, path } of due) console.log(`  ${path}   (${client})`);
  await confirmOutside(due, `make trust STACK=${stack.name}`);

  const record = readRecord(stack);
  for (const { path, content } of due) {
    const known = record.find((each) => each.path === path);
    const written = known
      ? { ...known, content }
      : { path, content, before: read(path) ?? null, folders: missingFolders(dirname(path)) };
    record.splice(known ? record.indexOf(known) : record.length, known ? 1 : 0, written);
    // First: a run that is killed can be taken back.
    writeRecord(stack, record);
    asOwner(path, 'mkdir -p "$2" && cat >"$1"', [path, dirname(path)], content);
  }
  updateStore(due);
  console.log(`\nTo take it out again: make untrust STACK=${stack.name}`);
}

/** Takes out what `trust` has written, and leaves this machine as it was. */
export async function untrust(stack: Stack): Promise<void> {
  const record = readRecord(stack);
  if (record.length === 0) throw new UserError(`Nothing of stack ${stack.name} is installed on this machine.`);
  console.log("This takes out:\n");
  for (const { path } of record) console.log(`  ${path}`);
  await confirmOutside(record, `make untrust STACK=${stack.name}`);
  for (const { path, content, before, folders } of [...record].reverse()) {
    const now = read(path);
    if (now !== undefined && now !== content && now !== before) {
      console.error(`▸ ${path} was changed since, so it stays`);
      continue;
    }
    if (before === null) asOwner(path, 'rm -f "$1"', [path]);
    else asOwner(path, 'cat >"$1"', [path], before);
    // Only those that are empty.
    for (const folder of [...folders].reverse()) asOwner(path, 'rmdir "$1" 2>/dev/null || true', [folder]);
  }
  updateStore(record);
  rmSync(recordFile(stack));
}

/** What the clients of this machine read. */
function targetsOf(outputs: Outputs, stack: string, withStore: boolean): Target[] {
  const { endpoint, caCertificate } = outputs;
  const bundle = renderTrustBundle(outputs);
  const inFolder = (client: string, folder: string, name: string) => {
    const begin = `${name}/certs.d/${endpoint}/`;
    return Object.entries(bundle)
      .filter(([file]) => file.startsWith(begin))
      .map(([file, content]) => ({ client, path: join(folder, file.slice(name.length + 1)), content }));
  };
  const config = process.env["XDG_CONFIG_HOME"] ?? join(homedir(), ".config");
  const buildkit = "/etc/buildkit/buildkitd.toml";
  return [
    ...(has("dockerd") ? inFolder("Docker engine", "/etc/docker", "docker") : []),
    ...(has("dockerd-rootless.sh") ? inFolder("rootless Docker", join(config, "docker"), "docker") : []),
    ...(["podman", "skopeo", "buildah"].some(has)
      ? inFolder("podman, skopeo, buildah", join(config, "containers"), "containers")
      : []),
    ...(has("containerd") ? inFolder("containerd", "/etc/containerd", "containerd") : []),
    ...(has("buildkitd")
      ? [
          ...inFolder("BuildKit", "/etc/buildkit", "buildkit"),
          { client: "BuildKit", path: buildkit, content: withBlock(read(buildkit), bundle["buildkit/buildkitd.toml"]) },
        ]
      : []),
    ...(withStore ? [{ client: "all others", path: storeFile(stack), content: caCertificate }] : []),
  ];
}

/** A file of BuildKit with the registry's block at its end, once. */
function withBlock(text = "", block = ""): string {
  return text.includes(block) ? text : `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${block}`;
}

/** Each system's folder for authorities of the operator's, and the command that makes the store from it. */
const stores = [
  // Without --fresh, Debian's leaves dead links behind.
  { folder: "/usr/local/share/ca-certificates", update: "update-ca-certificates", options: ["--fresh"] },
  { folder: "/etc/pki/ca-trust/source/anchors", update: "update-ca-trust", options: ["extract"] },
] as const;

function storeFile(stack: string): string {
  const store = stores.find(({ update }) => has(update));
  if (store === undefined) throw new UserError(`SYSTEM=1: the store of this system is not known. Leave SYSTEM out.`);
  return join(store.folder, `private-registry-${stack}.crt`);
}

function updateStore(files: readonly { readonly path: string }[]): void {
  const store = stores.find(({ folder }) => files.some(({ path }) => path.startsWith(`${folder}/`)));
  if (store === undefined) return;
  if (isRoot) run(store.update, store.options);
  else run("sudo", [store.update, ...store.options]);
}

function has(command: string): boolean {
  return (process.env["PATH"] ?? "").split(":").some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const isRoot = process.getuid?.() === 0;

/** Whether a file is none of the user's own. */
function isOutside(path: string): boolean {
  return !path.startsWith(`${homedir()}/`);
}

/** @throws UserError if the user doesn't agree */
async function confirmOutside(files: readonly { readonly path: string }[], command: string): Promise<void> {
  if (process.env["YES"] === "1" || !files.some(({ path }) => isOutside(path))) return;
  if (!process.stdin.isTTY)
    throw new UserError(
      `Some of these files are outside your home folder. To write there without a question: ${command} YES=1`,
    );
  const question = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await question.question("\nSome of these files are outside your home folder. Go on? [y/N] ");
  question.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new UserError("Nothing was changed.");
}

/** Runs a script for a file, outside the user's home folder as root. */
function asOwner(path: string, script: string, args: readonly string[], input = ""): void {
  const sudo = isRoot || !isOutside(path) ? [] : ["sudo"];
  const [command = "", ...words] = [...sudo, "sh", "-euc", script, "-", ...args];
  const { status } = spawnSync(command, words, { input, stdio: ["pipe", "inherit", "inherit"] });
  if (status !== 0) throw new CommandFailed(status ?? 1);
}

function read(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** The folders that don't exist yet, the outermost first. */
function missingFolders(folder: string): string[] {
  return existsSync(folder) ? [] : [...missingFolders(dirname(folder)), folder];
}

function recordFile({ name }: Stack): string {
  return join(".state", "trust", `${name}.json`);
}

function readRecord(stack: Stack): Written[] {
  return JSON.parse(read(recordFile(stack)) ?? "[]") as Written[];
}

function writeRecord(stack: Stack, record: readonly Written[]): void {
  const file = recordFile(stack);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, JSON.stringify(record));
}
