import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { basicAuthorization, digestOf, manifestOf, RegistryClient } from "../../cli/client.ts";
import { shellQuoted } from "../../components/commands.ts";
import type { Outputs } from "../../components/outputs.ts";
import type { TestCloud } from "../testCloud/testCloud.ts";
import { Checkout } from "./checkout.ts";
import { run, type Result, type RunOptions, stop } from "./run.ts";

/** The zones that a cloud for tests has at first. */
export const zones = { digitalOcean: ["example.com"], route53: ["example.org"], dnsimple: ["example.net"] } as const;

/** A stack on a machine of a cloud for tests, with the settings that a user would write. */
export const stacks = {
  digitalocean: {
    target: "digitalocean",
    hostname: "registry.example.com",
    host: { sshFrom: ["0.0.0.0/0"], dataSize: 1 },
    dns: { provider: "digitalocean", zone: "example.com" },
  },
  aws: {
    target: "aws",
    hostname: "registry.example.org",
    host: { sshFrom: ["0.0.0.0/0"], dataSize: 1 },
    dns: { provider: "route53", zone: "example.org" },
  },
} as const;

export type CloudTarget = keyof typeof stacks;

/** A checkout whose stack runs on a machine of a cloud for tests. */
export class RemoteCheckout extends Checkout {
  private readonly cloud: TestCloud;

  constructor(cloud: TestCloud, env: NodeJS.ProcessEnv = {}) {
    super({ ...cloud.env, ...env });
    this.cloud = cloud;
  }

  /** On its machine. */
  override async docker(args: readonly string[], input = ""): Promise<string> {
    const [machine] = this.cloud.machines;
    assert.ok(machine, "there is no machine");
    return machine.succeed(`printf %s ${shellQuoted(input)} | docker ${args.map(shellQuoted).join(" ")}`);
  }

  /** `make up`, which must succeed with every proof. */
  async up(options: RunOptions = {}): Promise<Outputs> {
    assert.doesNotMatch(await this.makes("up", options), /✗/);
    return this.outputs();
  }

  /** `make up`, which must fail; returns its output, without colours and progress. */
  async upFails(options: RunOptions = {}): Promise<string> {
    const { code, output } = await this.make("up", options);
    assert.notEqual(code, 0, output);
    return output;
  }

  /**
   * `make TARGET`, killed with everything that it started at a moment, before which it must not end; returns its output.
   * The wait for the moment ends with the run, by the signal.
   */
  async killed(target: string, moment: (signal: AbortSignal) => Promise<unknown>): Promise<string> {
    let group = 0;
    const ended = new AbortController();
    const env = { CONFIRM: this.stack };
    const running = this.make(target, { env, onStart: (started) => (group = started) });
    try {
      await Promise.race([moment(ended.signal), running]);
    } finally {
      stop(group, "SIGKILL");
      await running.finally(() => ended.abort());
    }
    const { code, output } = await running;
    assert.equal(code, null, `it ended before it could be killed\n${output}`);
    return output;
  }

  /**
   * The same while the cloud does all of these at once. It completes them nevertheless, as nobody takes back what it was
   * asked for.
   */
  async killedDuring(target: string, calls: readonly string[]): Promise<string> {
    const hanging = calls.map((call) => this.cloud.faults.hang(call));
    try {
      return await this.killed(target, () => Promise.all(hanging.map(({ asked }) => asked)));
    } finally {
      for (const { release } of hanging) release();
    }
  }

  async assertUnchanged(): Promise<void> {
    const { code, output } = await this.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes");
    assert.equal(code, 0, output);
  }

  /** Runs something with a client that reaches the registry by its name, at the address in its record. */
  async asking<T>(outputs: Outputs, ask: (client: RegistryClient) => Promise<T>): Promise<T> {
    const [address] = await this.cloud.resolve(new URL(outputs.url).hostname, "A");
    assert.ok(address, "the name does not resolve");
    const client = new RegistryClient(outputs.url, outputs.caCertificate, outputs.passwords, address);
    return ask(client).finally(() => client.close());
  }

  /** Pushes an artifact; returns its digest. */
  push(outputs: Outputs, repository: string, content: string): Promise<string> {
    const layer = Buffer.from(content);
    return this.asking(outputs, async (client) => {
      const answers = await client.pushArtifact("admin", repository, layer);
      assert.deepEqual(
        answers.map(({ status }) => status),
        [201, 201, 201],
      );
      return digestOf(manifestOf(layer));
    });
  }

  pulls(outputs: Outputs, repository: string, digest: string): Promise<boolean> {
    const path = `/v2/${repository}/manifests/${digest}`;
    return this.asking(outputs, async (client) => (await client.ask("GET", path, { as: "admin" })).status === 200);
  }

  /** Pulls an image by its digest and pushes it under a tag, with a `skopeo` that knows only the registry's name. */
  async copies(outputs: Outputs, repository: string, digest: string, tag: string): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), "image-"));
    try {
      const reference = `docker://${outputs.endpoint}/${repository}`;
      for (const copy of [
        ["--src-cert-dir", "CERTS", `${reference}@${digest}`, `dir:${folder}`],
        ["--dest-cert-dir", "CERTS", `dir:${folder}`, `${reference}:${tag}`],
      ]) {
        const { code, output } = await this.skopeo(outputs, "copy", ...copy);
        assert.equal(code, 0, output);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  /** A client that looks the name up for itself, as the DNS server of the cloud answers, and checks the certificate. */
  private async skopeo(outputs: Outputs, ...args: readonly string[]): Promise<Result> {
    const { hostname, host } = new URL(outputs.url);
    const folder = mkdtempSync(join(tmpdir(), "skopeo-"));
    try {
      const [address = ""] = await this.cloud.resolve(hostname, "A");
      const auth = basicAuthorization("admin", outputs.passwords["admin"] ?? "").replace("Basic ", "");
      writeFileSync(join(folder, "hosts"), `${address} ${hostname}\n`);
      writeFileSync(join(folder, "ca.crt"), outputs.caCertificate);
      writeFileSync(join(folder, "auth.json"), JSON.stringify({ auths: { [host]: { auth } } }), { mode: 0o600 });
      // In its own mount namespace, so that nobody else's names change.
      const script =
        'mount --bind "$1/hosts" /etc/hosts; folder=$1; shift; exec skopeo --insecure-policy "$@" --authfile "$folder/auth.json"';
      return await run("unshare", [
        "--mount",
        "sh",
        "-ec",
        script,
        "-",
        folder,
        ...args.map((arg) => arg.replace("CERTS", folder)),
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
}
