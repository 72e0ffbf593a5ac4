// Proves that the live registry of a stack works, and prints a line for each proof. Ends with 1 when one fails.
//   tsx scripts/smoke.ts STACK         with the environment of scripts/env and scripts/engine-env.ts
// It pushes one small artifact, the same every time, to private-registry/smoke-test.
import { execFileSync } from "node:child_process";
import { resolve4 } from "node:dns/promises";

import { messageOf } from "../problems";
import { type Answer, digestOf, manifestOf, NoAnswer, RegistryClient } from "./client";
import { liveOutputsOf } from "./live";

const repository = "private-registry/smoke-test";
const versionHeader = "docker-distribution-api-version";

const [stack = ""] = process.argv.slice(2);
const outputs = liveOutputsOf(stack);
const user = outputs.usernames[0] ?? "";
// A record may be too young for this machine's resolver, or not made yet.
const address = outputs.records.length > 0 ? outputs.address : undefined;
const client = new RegistryClient(outputs.url, outputs.caCertificate, outputs.passwords, address);
/** Who pushed, and so may pull. */
let pusher: string | undefined;

void proveAll().then((failed) => {
  client.close();
  if (failed > 0) {
    console.log(`\n  ${String(failed)} of these failed; what the containers say: make logs STACK=${stack}`);
    process.exitCode = 1;
    return;
  }
  console.log(`
  Sign in:   ${outputs.loginCommand}
  Password:  make passwords STACK=${stack}     (make login STACK=${stack} does both)`);
});

async function proveAll(): Promise<number> {
  const layer = Buffer.from("private-registry smoke test\n");
  const manifest = manifestOf(layer);
  const proofs: [string, () => Promise<string | Remark>][] = [
    ...(address === undefined ? [] : [["name", tellName] as [string, () => Promise<string | Remark>]]),
    ["TLS", proveTls],
    ["no password", proveRefusal],
    ["password", proveSignIn],
    ["push", () => provePush(layer, manifest)],
    ["pull by digest", () => provePull(layer, manifest)],
    ["registry closed", () => Promise.resolve(proveClosed())],
  ];
  let failures = 0;
  console.log(`\n  ${outputs.url}\n`);
  for (const [name, prove] of proofs) {
    const result = await prove().then(
      (what) => (typeof what === "string" ? { mark: "✓", what } : { mark: "·", what: what.remark }),
      (error: unknown) => ({ mark: "✗", what: messageOf(error), error }),
    );
    if (result.mark === "✗") failures++;
    console.log(`  ${result.mark} ${name.padEnd(16)} ${result.what}`);
    if (name === "TLS" && "error" in result && result.error instanceof NoAnswer) {
      const hint = outputs.login ? " Is your network among those of host.registryFrom?" : "";
      console.log(`\n  Nothing comes back from ${outputs.address}, so the rest is not tried.${hint}`);
      break;
    }
  }
  return failures;
}

/** Something that is neither proved nor wrong. */
interface Remark {
  readonly remark: string;
}

/** Whether clients find it by its name is up to the zone and to time: it is told, not asked for. */
async function tellName(): Promise<string | Remark> {
  const { hostname } = new URL(outputs.url);
  const found = await resolve4(hostname).catch((): string[] => []);
  if (found.includes(outputs.address)) return `${hostname} leads to ${outputs.address}`;
  return { remark: `from here ${hostname} does not lead to it yet; records: ${outputs.records.join(", ")}` };
}

async function proveTls(): Promise<string> {
  const { tls } = await client.ask("GET", "/v2/");
  return `${tls}, certificate checked against ${outputs.caFingerprint === "" ? "the public authorities" : `the authority ${outputs.caFingerprint.slice(0, 23)}…`}`;
}

async function proveRefusal(): Promise<string> {
  const { status, header } = await client.ask("GET", "/v2/");
  const [challenge = "none"] = header("www-authenticate");
  expect(
    status === 401 && challenge.startsWith("Basic "),
    `401 with a challenge expected, got ${String(status)}, ${challenge}`,
  );
  expectVersionOnce(header);
  return `401, ${challenge}`;
}

async function proveSignIn(): Promise<string> {
  const { status, header } = await client.ask("GET", "/v2/", { as: user });
  expect(status === 200, `200 expected, got ${String(status)}`);
  expectVersionOnce(header);
  return `200 as ${user}, Docker-Distribution-Api-Version: registry/2.0`;
}

/** By the first user who may: a reader, or somebody whom a rule keeps out, may not. */
async function provePush(layer: Buffer, manifest: Buffer): Promise<string | Remark> {
  for (const as of outputs.usernames) {
    const answers = await client.pushArtifact(as, repository, layer);
    const statuses = answers.map(({ status }) => status);
    if (statuses.includes(403)) continue;
    const isFull = answers.some(({ body }) => body.includes("no space left on device"));
    expect(!isFull, "the disk is full: see docs/runbook.md");
    expect(statuses.join() === "201,201,201", `layer, configuration, manifest: ${statuses.join(", ")}`);
    pusher = as;
    return `${repository}@${digestOf(manifest).slice(0, 19)}… as ${as}`;
  }
  return { remark: "nobody may, by the roles and rules of this stack" };
}

async function provePull(layer: Buffer, manifest: Buffer): Promise<string | Remark> {
  if (pusher === undefined) return { remark: "nothing was pushed" };
  const pulled = await client.ask("GET", `/v2/${repository}/manifests/${digestOf(manifest)}`, { as: pusher });
  expect(pulled.body.equals(manifest), `the manifest came back changed (${String(pulled.status)})`);
  const blob = await client.ask("GET", `/v2/${repository}/blobs/${digestOf(layer)}`, { as: pusher });
  expect(blob.body.equals(layer), `the layer came back changed (${String(blob.status)})`);
  return "the same bytes came back";
}

function proveClosed(): string {
  const name = `private-registry-${stack}-registry`;
  const published = execFileSync("docker", ["port", name], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  }).trim();
  expect(published === "", `${name} publishes ${published}`);
  return `${name} publishes no port`;
}

function expectVersionOnce(header: Answer["header"]): void {
  const versions = header(versionHeader);
  expect(
    versions.join() === "registry/2.0",
    `Docker-Distribution-Api-Version once expected, got "${versions.join('", "')}"`,
  );
}

function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
