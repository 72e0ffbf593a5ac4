import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { type Answer, digestOf, emptyConfig, manifestOf, type Question, RegistryClient } from "../../cli/client.ts";
import type { Outputs } from "../../components/outputs.ts";
import { messageOf } from "../../components/userError.ts";

/** What came of a load. */
export interface Count {
  requests: number;
  /** What was refused or not answered. */
  readonly failed: string[];
  /** What came back and is not what was pushed. */
  readonly corrupt: string[];
}

/** An artifact of one layer. */
interface Artifact {
  readonly layer: Buffer;
  readonly manifest: Buffer;
}

/** A client that counts what is refused or not answered, and throws it. */
class CountedClient extends RegistryClient {
  private readonly count: Count;

  constructor(count: Count, { url, caCertificate, passwords }: Outputs, address?: string) {
    super(url, caCertificate, passwords, address);
    this.count = count;
  }

  override async ask(method: string, path: string, question?: Question): Promise<Answer> {
    this.count.requests++;
    try {
      const answer = await super.ask(method, path, question);
      if (answer.status < 300) return answer;
      throw new Error(`${String(answer.status)} ${answer.body.toString().trim()}`);
    } catch (error) {
      this.count.failed.push(`${new Date().toISOString()} ${method} ${path.replace(/\?.*/, "")}: ${messageOf(error)}`);
      throw error;
    }
  }
}

const repository = "load/app";

/**
 * Clients that pull and push as fast as they are answered, and never ask again for what failed. Each has a connection of
 * its own, which it keeps.
 */
export class Load {
  private readonly count: Count = { requests: 0, failed: [], corrupt: [] };
  private isOver = false;
  /** What the registry has acknowledged. */
  private readonly artifacts: Artifact[] = [];
  private readonly clients: CountedClient[] = [];
  private readonly running: Promise<void>[];
  private readonly newClient: () => CountedClient;

  /** @param address Where to connect. Default: where the registry's name leads. */
  constructor(outputs: Outputs, { pullers, pushers }: { pullers: number; pushers: number }, address?: string) {
    this.newClient = () => {
      const client = new CountedClient(this.count, outputs, address);
      this.clients.push(client);
      return client;
    };
    this.running = [
      ...Array.from({ length: pullers }, () => this.repeat((client) => this.pull(client))),
      ...Array.from({ length: pushers }, () => this.repeat((client) => this.push(client))),
    ];
  }

  /** Lets the last requests end, then pulls all that was acknowledged once more. */
  async stop(): Promise<Count & { readonly pushed: number }> {
    this.isOver = true;
    await Promise.all(this.running);
    const client = this.newClient();
    // What fails has been counted.
    for (const artifact of this.artifacts) await this.check(client, artifact).catch(() => undefined);
    for (const each of this.clients) each.close();
    return { ...this.count, pushed: this.artifacts.length };
  }

  private async repeat(work: (client: RegistryClient) => Promise<void>): Promise<void> {
    const client = this.newClient();
    while (!this.isOver) {
      // What fails has been counted.
      await work(client).catch(() => undefined);
      await sleep(100);
    }
  }

  private async push(client: RegistryClient): Promise<void> {
    const layer = randomBytes(2000);
    await client.pushArtifact("admin", repository, layer);
    this.artifacts.push({ layer, manifest: manifestOf(layer) });
  }

  private async pull(client: RegistryClient): Promise<void> {
    const artifact = this.artifacts[Math.floor(Math.random() * this.artifacts.length)];
    if (artifact !== undefined) await this.check(client, artifact);
  }

  private async check(client: RegistryClient, { layer, manifest }: Artifact): Promise<void> {
    for (const [path, expected] of [
      [`manifests/${digestOf(manifest)}`, manifest],
      [`blobs/${digestOf(layer)}`, layer],
      [`blobs/${digestOf(emptyConfig)}`, emptyConfig],
    ] as const) {
      const { body } = await client.ask("GET", `/v2/${repository}/${path}`, { as: "admin" });
      if (!body.equals(expected)) this.count.corrupt.push(path);
    }
  }
}
