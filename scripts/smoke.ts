// Proves that the live registry of a stack works, and prints a line for each proof. Ends with 1 when one fails.
//   tsx scripts/smoke.ts STACK         with the environment of scripts/env and scripts/engine-env.ts
// It signs in as the first user and pushes one small artifact, the same every time, to private-registry/smoke-test.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as https from "node:https";
import { TLSSocket } from "node:tls";

import { outputsOf } from "./pulumi";

interface Answer {
  readonly status: number;
  readonly header: (name: string) => string[];
  readonly body: Buffer;
  readonly tls: string;
}

const repository = "private-registry/smoke-test";
const versionHeader = "docker-distribution-api-version";

const [stack = ""] = process.argv.slice(2);
const outputs = outputsOf(stack);
const user = outputs.usernames[0] ?? "";
const agent = new https.Agent({ keepAlive: true, ...(outputs.caCertificate && { ca: outputs.caCertificate }) });

void proveAll().then((failed) => {
  agent.destroy();
  if (failed > 0) {
    console.log(`\n  ${String(failed)} of these failed; \`make logs\` shows what the containers say.`);
    process.exitCode = 1;
    return;
  }
  console.log(`
  Sign in:   ${outputs.loginCommand}
  Password:  pulumi stack output passwords --show-secrets -s ${stack}   (or \`make login\`, which does both)`);
});

async function proveAll(): Promise<number> {
  const layer = Buffer.from("private-registry smoke test\n");
  const manifest = manifestOf(layer);
  const proofs: [string, () => Promise<string>][] = [
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
      (what) => ({ mark: "✓", what }),
      (error: unknown) => ({ mark: "✗", what: error instanceof Error ? error.message : String(error) }),
    );
    if (result.mark === "✗") failures++;
    console.log(`  ${result.mark} ${name.padEnd(16)} ${result.what}`);
  }
  return failures;
}

async function proveTls(): Promise<string> {
  const { tls } = await ask("GET", "/v2/", { anonymous: true });
  return `${tls}, certificate checked against ${outputs.caFingerprint === "" ? "the public authorities" : `the authority ${outputs.caFingerprint.slice(0, 23)}…`}`;
}

async function proveRefusal(): Promise<string> {
  const { status, header } = await ask("GET", "/v2/", { anonymous: true });
  const [challenge = "none"] = header("www-authenticate");
  expect(
    status === 401 && challenge.startsWith("Basic "),
    `401 with a challenge expected, got ${String(status)}, ${challenge}`,
  );
  expectVersionOnce(header);
  return `401, ${challenge}`;
}

async function proveSignIn(): Promise<string> {
  const { status, header } = await ask("GET", "/v2/");
  expect(status === 200, `200 expected, got ${String(status)}`);
  expectVersionOnce(header);
  return `200 as ${user}, Docker-Distribution-Api-Version: registry/2.0`;
}

async function provePush(layer: Buffer, manifest: Buffer): Promise<string> {
  await pushBlob(layer);
  await pushBlob(Buffer.from("{}"));
  const { status } = await ask("PUT", `/v2/${repository}/manifests/${digestOf(manifest)}`, {
    body: manifest,
    type: "application/vnd.oci.image.manifest.v1+json",
  });
  expect(status === 201, `the manifest was answered with ${String(status)}`);
  return `${repository}@${digestOf(manifest).slice(0, 19)}…`;
}

async function pushBlob(blob: Buffer): Promise<void> {
  const begun = await ask("POST", `/v2/${repository}/blobs/uploads/`);
  const [location = ""] = begun.header("location");
  expect(begun.status === 202 && location !== "", `an upload was answered with ${String(begun.status)}`);
  const target = new URL(location, outputs.url);
  expect(target.host === new URL(outputs.url).host, `an upload was sent to ${target.host}`);
  target.searchParams.set("digest", digestOf(blob));
  const { status } = await ask("PUT", target.pathname + target.search, {
    body: blob,
    type: "application/octet-stream",
  });
  expect(status === 201, `a blob was answered with ${String(status)}`);
}

async function provePull(layer: Buffer, manifest: Buffer): Promise<string> {
  const pulled = await ask("GET", `/v2/${repository}/manifests/${digestOf(manifest)}`);
  expect(pulled.body.equals(manifest), `the manifest came back changed (${String(pulled.status)})`);
  const blob = await ask("GET", `/v2/${repository}/blobs/${digestOf(layer)}`);
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

function manifestOf(layer: Buffer): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf(Buffer.from("{}")), size: 2 },
      layers: [{ mediaType: "text/plain", digest: digestOf(layer), size: layer.length }],
    }),
  );
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function ask(
  method: string,
  path: string,
  { body, type, anonymous = false }: { body?: Buffer; type?: string; anonymous?: boolean } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = https.request(new URL(path, outputs.url), {
      agent,
      method,
      timeout: 30_000,
      headers: {
        Accept: "application/vnd.oci.image.manifest.v1+json, */*",
        ...(anonymous
          ? {}
          : { Authorization: `Basic ${Buffer.from(`${user}:${outputs.passwords[user] ?? ""}`).toString("base64")}` }),
        ...(type === undefined ? {} : { "Content-Type": type }),
        "Content-Length": body?.length ?? 0,
      },
    });
    request.on("timeout", () => request.destroy(new Error("no answer within 30 seconds")));
    request.on("error", reject);
    request.on("response", (response) => {
      const tls = response.socket instanceof TLSSocket ? response.socket.getProtocol() : null;
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const header = (name: string) => response.headersDistinct[name] ?? [];
        resolve({ status: response.statusCode ?? 0, header, body: Buffer.concat(chunks), tls: tls ?? "no TLS" });
      });
    });
    request.end(body);
  });
}
