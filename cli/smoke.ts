import { resolve4 } from "node:dns/promises";

import type { Outputs } from "../components/outputs.ts";
import { messageOf } from "../components/userError.ts";
import { type Answer, digestOf, manifestOf, NoAnswer, RegistryClient } from "./client.ts";
import { containersIn, linesOf } from "./containers.ts";
import { outputOf } from "./processes.ts";
import type { Stack } from "./stack.ts";

const repository = "private-registry/smoke-test";
const versionHeader = "docker-distribution-api-version";

/** The result of one check. */
export interface Finding {
  /** `TLS`, `push` … */
  readonly proof: string;
  /** `open`: the check could not be made, which is no failure of the registry. */
  readonly result: "proved" | "failed" | "open";
  readonly what: string;
}

/**
 * Checks that the live registry of a stack works. Pushes one small artifact, the same every time, to
 * private-registry/smoke-test.
 *
 * @param tell Called with each result.
 */
export async function prove(stack: Stack, tell: (finding: Finding) => void): Promise<Finding[]> {
  const outputs = await stack.outputs();
  const proofs = new Proofs(outputs, stack);
  const findings: Finding[] = [];
  for (const [proof, ask] of proofs.all) {
    const { isSilent, ...found } = await ask().then(
      (what) =>
        typeof what === "string"
          ? { result: "proved" as const, what, isSilent: false }
          : { result: "open" as const, what: what.remark, isSilent: false },
      (error: unknown) => ({ result: "failed" as const, what: messageOf(error), isSilent: error instanceof NoAnswer }),
    );
    findings.push({ proof, ...found });
    tell({ proof, ...found });
    // Every other check would time out as well.
    if (proof === "TLS" && isSilent) break;
  }
  proofs.close();
  return findings;
}

const marks = { proved: "✓", failed: "✗", open: "·" } as const;

/** Prints the checks for people, one line each. */
export async function smoke(stack: Stack): Promise<boolean> {
  const outputs = await stack.outputs();
  console.log(`\n  ${outputs.url}\n`);
  const findings = await prove(stack, ({ proof, result, what }) =>
    console.log(`  ${marks[result]} ${proof.padEnd(16)} ${what}`),
  );
  const failed = findings.filter(({ result }) => result === "failed");
  const last = findings.at(-1);
  if (last?.proof === "TLS") {
    const hint = outputs.login ? " Is your network listed in host.registryFrom?" : "";
    console.log(`\n  ${outputs.address} does not answer, so the other checks are skipped.${hint}`);
  }
  console.log(
    failed.length > 0
      ? `\n  Failed checks: ${String(failed.length)}. To see the logs: make logs STACK=${stack.name}`
      : `
  Sign in:   ${outputs.loginCommand}
  Password:  make passwords STACK=${stack.name}     (make login STACK=${stack.name} does both)`,
  );
  return failed.length === 0;
}

/** A result that is neither a success nor a failure. */
interface Remark {
  readonly remark: string;
}

/** The checks of a registry, in a useful order. */
class Proofs {
  private readonly user: string;
  private readonly address: string | undefined;
  private readonly client: RegistryClient;
  /** The user who pushed, and so may pull. */
  private pusher: string | undefined;
  private readonly outputs: Outputs;
  private readonly stack: Stack;

  constructor(outputs: Outputs, stack: Stack) {
    this.outputs = outputs;
    this.stack = stack;
    this.user = outputs.usernames[0] ?? "";
    // The DNS record may not have reached this machine's resolver, or may not exist yet.
    this.address = outputs.records.length > 0 ? outputs.address : undefined;
    this.client = new RegistryClient(outputs.url, outputs.caCertificate, outputs.passwords, this.address);
  }

  get all(): [string, () => Promise<string | Remark>][] {
    const layer = Buffer.from("private-registry smoke test\n");
    const manifest = manifestOf(layer);
    const name: [string, () => Promise<string | Remark>] = ["name", () => this.tellName()];
    return [
      ...(this.address === undefined ? [] : [name]),
      ["TLS", () => this.proveTls()],
      ["no password", () => this.proveRefusal()],
      ["password", () => this.proveSignIn()],
      ["push", () => this.provePush(layer, manifest)],
      ["pull by digest", () => this.provePull(layer, manifest)],
      ["registry closed", () => Promise.resolve().then(() => this.proveClosed())],
    ];
  }

  close(): void {
    this.client.close();
  }

  /** Whether the name resolves depends on the zone and on time, so this is a remark and never a failure. */
  private async tellName(): Promise<string | Remark> {
    const { hostname } = new URL(this.outputs.url);
    const found = await resolve4(hostname).catch((): string[] => []);
    if (found.includes(this.outputs.address)) return `${hostname} resolves to ${this.outputs.address}`;
    return {
      remark: `${hostname} does not resolve to ${this.outputs.address} yet; records: ${this.outputs.records.join(", ")}`,
    };
  }

  private async proveTls(): Promise<string> {
    const { tls } = await this.client.ask("GET", "/v2/");
    return `${tls}, certificate checked against ${this.outputs.caFingerprint === "" ? "the public authorities" : `the authority ${this.outputs.caFingerprint.slice(0, 23)}…`}`;
  }

  private async proveRefusal(): Promise<string> {
    const { status, header } = await this.client.ask("GET", "/v2/");
    const [challenge = "none"] = header("www-authenticate");
    expect(
      status === 401 && challenge.startsWith("Basic "),
      `401 with a challenge expected, got ${String(status)}, ${challenge}`,
    );
    expectVersionOnce(header);
    return `401, ${challenge}`;
  }

  private async proveSignIn(): Promise<string> {
    const { status, header } = await this.client.ask("GET", "/v2/", { as: this.user });
    expect(status === 200, `200 expected, got ${String(status)}`);
    expectVersionOnce(header);
    return `200 as ${this.user}, Docker-Distribution-Api-Version: registry/2.0`;
  }

  /** Pushes as the first user who may; roles and rules can forbid it. */
  private async provePush(layer: Buffer, manifest: Buffer): Promise<string | Remark> {
    for (const as of this.outputs.usernames) {
      const answers = await this.client.pushArtifact(as, repository, layer);
      const statuses = answers.map(({ status }) => status);
      if (statuses.includes(403)) continue;
      const isFull = answers.some(({ body }) => body.includes("no space left on device"));
      expect(!isFull, "the disk is full: see docs/runbook.md");
      expect(statuses.join() === "201,201,201", `layer, configuration, manifest: ${statuses.join(", ")}`);
      this.pusher = as;
      return `${repository}@${digestOf(manifest).slice(0, 19)}… as ${as}`;
    }
    return { remark: "nobody may push, by the roles and rules of this stack" };
  }

  private async provePull(layer: Buffer, manifest: Buffer): Promise<string | Remark> {
    if (this.pusher === undefined) return { remark: "nothing was pushed" };
    const pulled = await this.client.ask("GET", `/v2/${repository}/manifests/${digestOf(manifest)}`, {
      as: this.pusher,
    });
    expect(pulled.body.equals(manifest), `the manifest came back changed (${String(pulled.status)})`);
    const blob = await this.client.ask("GET", `/v2/${repository}/blobs/${digestOf(layer)}`, { as: this.pusher });
    expect(blob.body.equals(layer), `the layer came back changed (${String(blob.status)})`);
    return "the same bytes came back";
  }

  private proveClosed(): string {
    const registries = containersIn("registry", this.stack);
    expect(registries.length > 0, "the registry has no container");
    const published = registries.flatMap(({ id }) => linesOf(outputOf("docker", ["port", id])));
    expect(published.length === 0, `the registry publishes ${published.join(", ")}`);
    return `no port of its ${String(registries.length)} containers is published`;
  }
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
