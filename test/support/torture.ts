import { createHash, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { type Answer, digestOf, RegistryClient } from "../../cli/client.ts";
import type { Outputs } from "../../components/outputs.ts";
import { messageOf } from "../../components/userError.ts";

/** What came of a torture. */
export interface Count {
  pushes: number;
  pulls: number;
  deletions: number;
  /** Pulls of what was deleted meanwhile. */
  ofDeleted: number;
  /** Blobs that a push didn't send, as they were there; that it sent; that it mounted. */
  skipped: number;
  sent: number;
  mounted: number;
  /** The longest push, in seconds. */
  longest: number;
  readonly failedPushes: string[];
  readonly failedPulls: string[];
  /** What was acknowledged and is gone or changed. */
  readonly lost: string[];
}

/** An image, or an index of images. */
interface Pushed {
  readonly repository: string;
  readonly digest: string;
  readonly manifest: Buffer;
  readonly type: string;
  readonly blobs: readonly Buffer[];
  readonly children: readonly Pushed[];
}

const types = {
  image: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
} as const;

const repositories = ["torture/a", "torture/b", "torture/deep/er/c", "d"] as const;

/** More images than that are deleted as fast as it goes. */
const many = 400;

/** Layers that all pushes share. */
const common = layers("common", 24);
/** Layers that are deleted soon after each push, and come back at any moment of a collection. */
const rare = layers("rare", 60);

function layers(kind: string, length: number): Buffer[] {
  return Array.from({ length }, (_, i) => {
    const size = [300, 3000, 60_000][i % 3] ?? 0;
    const digest = createHash("sha256").update(`${kind} ${String(i)}`);
    const text = digest.digest("hex");
    return Buffer.from(text.repeat(Math.ceil(size / text.length)).slice(0, size));
  });
}

/**
 * Clients that push, pull and delete as fast as they are answered, and never ask again for what failed. They look for
 * blobs before they send them, as all clients do, and once more after, as docker does; they share and push again what is
 * being deleted. Nothing is deleted through the API while a push relies on it: that would fail with any registry.
 */
export class Torture {
  readonly count: Count = {
    ...{ pushes: 0, pulls: 0, deletions: 0, ofDeleted: 0, skipped: 0, sent: 0, mounted: 0, longest: 0 },
    ...{ failedPushes: [], failedPulls: [], lost: [] },
  };
  /** What the registry has acknowledged and nobody has deleted, by repository and digest. */
  private readonly held = new Map<string, Pushed>();
  private readonly tags = new Map<string, string>();
  /** How many pushes rely on a manifest. */
  private readonly relied = new Map<string, number>();
  /** Manifests and tags that are being deleted. */
  private readonly deleting = new Set<string>();
  /** How often a manifest has been deleted. */
  private readonly deleted = new Map<string, number>();
  private readonly clients: RegistryClient[] = [];
  private readonly running: Promise<void>[] = [];
  private readonly newClient: () => RegistryClient;
  /** The longest pause within a push, in seconds. */
  private readonly slowest: number;
  private isOver = false;

  constructor({ url, caCertificate, passwords }: Outputs, { slowest }: { slowest: number }) {
    this.slowest = slowest;
    this.newClient = () => {
      const client = new RegistryClient(url, caCertificate, passwords);
      this.clients.push(client);
      return client;
    };
  }

  start({ pushers, pullers }: { pushers: number; pullers: number }): void {
    for (let i = 0; i < pushers; i++) this.repeat(300, (client) => this.pushOne(client, i));
    for (let i = 0; i < pullers; i++) this.repeat(200, (client) => this.pullOne(client));
    this.repeat(150, async (client) => {
      do await this.deleteOne(client);
      while (this.held.size > many && !this.isOver);
    });
  }

  /** Lets the last requests end. */
  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.running);
  }

  /** Pulls all that is acknowledged: what fails is lost. */
  async check(): Promise<number> {
    const client = this.newClient();
    for (const [key, pushed] of this.held) {
      const problem = await this.problemWith(client, pushed, pushed.digest);
      if (problem !== undefined) this.count.lost.push(`${key}: ${problem}`);
    }
    for (const [tag, key] of this.tags) {
      const [repository = "", name = ""] = tag.split(":");
      const pushed = this.held.get(key);
      if (pushed === undefined) continue;
      const problem = await this.problemWith(client, pushed, name);
      if (problem !== undefined) this.count.lost.push(`${repository}:${name}: ${problem}`);
    }
    return this.held.size;
  }

  /** The content of all that is needed for what is acknowledged, each blob once, by its digest. */
  needed(): Map<string, number> {
    const all = new Map<string, number>();
    const add = ({ manifest, blobs, children }: Pushed) => {
      for (const content of [manifest, ...blobs]) all.set(digestOf(content), content.length);
      for (const child of children) add(child);
    };
    for (const pushed of this.held.values()) add(pushed);
    return all;
  }

  /** The repositories that something is left in. */
  repositories(): Set<string> {
    return new Set([...this.held.values()].map(({ repository }) => repository));
  }

  /** How many images are left. */
  get size(): number {
    return this.held.size;
  }

  close(): void {
    for (const client of this.clients) client.close();
  }

  private repeat(pause: number, work: (client: RegistryClient) => Promise<void>): void {
    const client = this.newClient();
    const loop = async () => {
      while (!this.isOver) {
        await work(client);
        await sleep(Math.random() * pause);
      }
    };
    this.running.push(loop());
  }

  private async pushOne(client: RegistryClient, pusher: number): Promise<void> {
    const random = Math.random();
    const repository = random < 0.06 ? `once/${randomBytes(4).toString("hex")}` : one(repositories);
    const image = this.newImage(repository);
    const pushed = Math.random() < 0.25 ? this.newIndex(image) : image;
    const tag = Math.random() < 0.7 ? `t${String(pusher)}-${String(Math.floor(Math.random() * 4))}` : undefined;
    // The registry removes the tags of a deleted manifest one after the other, also one that has just moved on.
    const before = this.tags.get(`${repository}:${tag ?? ""}`);
    const keys = [...[pushed, ...pushed.children].map(keyOf), ...(before === undefined ? [] : [before])];
    if (this.deleting.has(`${repository}:${tag ?? ""}`)) return;
    if (keys.some((key) => this.deleting.has(key))) return;
    for (const key of keys) this.relied.set(key, (this.relied.get(key) ?? 0) + 1);
    const began = Date.now();
    try {
      await this.push(client, pushed, tag ?? pushed.digest);
      this.count.pushes++;
      for (const each of [pushed, ...pushed.children]) this.held.set(keyOf(each), each);
      if (tag !== undefined) this.tags.set(`${repository}:${tag}`, keyOf(pushed));
    } catch (error) {
      this.count.failedPushes.push(`${new Date().toISOString()} ${repository}: ${messageOf(error)}`);
    } finally {
      this.count.longest = Math.max(this.count.longest, (Date.now() - began) / 1000);
      for (const key of keys) this.relied.set(key, (this.relied.get(key) ?? 1) - 1);
    }
  }

  /** Mostly of shared layers, so that the same manifests come again; sometimes with one that nobody else has. */
  private newImage(repository: string): Pushed {
    const random = Math.random();
    const more = random < 0.3 ? [one(rare)] : random < 0.6 ? [randomBytes(5000)] : [];
    const layers = [one(common), one(common), ...more];
    const config = Buffer.from(JSON.stringify({ variant: Math.floor(Math.random() * 6) }));
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: types.image,
        config: {
          mediaType: "application/vnd.oci.image.config.v1+json",
          digest: digestOf(config),
          size: config.length,
        },
        layers: layers.map((layer) => ({ mediaType: "text/plain", digest: digestOf(layer), size: layer.length })),
      }),
    );
    const blobs = [...layers, config];
    return { repository, digest: digestOf(manifest), manifest, type: types.image, blobs, children: [] };
  }

  /** An index of a new image and one that may be deleted meanwhile. */
  private newIndex(image: Pushed): Pushed {
    const { repository } = image;
    const others = [...this.held.values()].filter(
      (each) => each.repository === repository && each.type === types.image,
    );
    const children = [image, ...(others.length === 0 ? [] : [one(others)])];
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: types.index,
        manifests: children.map(({ digest, manifest: { length } }) => ({
          ...{ mediaType: types.image, digest, size: length, platform: { architecture: "amd64", os: "linux" } },
        })),
      }),
    );
    return { repository, digest: digestOf(manifest), manifest, type: types.index, blobs: [], children };
  }

  private async push(client: RegistryClient, pushed: Pushed, reference: string): Promise<void> {
    const { repository, manifest, type, blobs, children } = pushed;
    for (const child of children) {
      const path = `/v2/${repository}/manifests/${child.digest}`;
      if ((await client.ask("HEAD", path, { as: "admin" })).status !== 200)
        await this.push(client, child, child.digest);
    }
    for (const blob of blobs) await this.pushBlob(client, repository, blob);
    if (Math.random() < 0.25) await sleep(Math.random() * this.slowest * 1000);
    const headers = { "Content-Type": type };
    const path = `/v2/${repository}/manifests/${reference}`;
    mustBe(201, await client.ask("PUT", path, { as: "admin", body: manifest, headers }), `PUT ${path}`);
  }

  private async pushBlob(client: RegistryClient, repository: string, blob: Buffer): Promise<void> {
    const digest = digestOf(blob);
    const path = `/v2/${repository}/blobs/${digest}`;
    if (Math.random() < 0.3) {
      const from = encodeURIComponent(one(repositories));
      const query = `?mount=${encodeURIComponent(digest)}&from=${from}`;
      const answer = await client.ask("POST", `/v2/${repository}/blobs/uploads/${query}`, { as: "admin" });
      if (answer.status === 201) this.count.mounted++;
      else await this.upload(client, path, answer, blob);
      return;
    }
    if ((await client.ask("HEAD", path, { as: "admin" })).status === 200) {
      this.count.skipped++;
      return;
    }
    await this.upload(
      client,
      path,
      await client.ask("POST", `/v2/${repository}/blobs/uploads/`, { as: "admin" }),
      blob,
    );
  }

  private async upload(client: RegistryClient, path: string, begun: Answer, blob: Buffer): Promise<void> {
    mustBe(202, begun, `POST for ${path}`);
    const headers = { "Content-Type": "application/octet-stream" };
    const target = client.uploadTarget(begun, digestOf(blob));
    mustBe(201, await client.ask("PUT", target, { as: "admin", body: blob, headers }), `PUT for ${path}`);
    // As docker does.
    mustBe(200, await client.ask("HEAD", path, { as: "admin" }), `HEAD ${path} after it was pushed`);
    this.count.sent++;
  }

  private async pullOne(client: RegistryClient): Promise<void> {
    const all = [...this.held.entries()];
    if (all.length === 0) return;
    const [key, pushed] = one(all);
    const before = this.deleted.get(key);
    const problem = await this.problemWith(client, pushed, pushed.digest);
    if (problem === undefined) this.count.pulls++;
    else if (this.deleted.get(key) !== before) this.count.ofDeleted++;
    else this.count.failedPulls.push(`${new Date().toISOString()} ${key}: ${problem}`);
  }

  /** What a pull of an image fails at; undefined if all comes as it was pushed. */
  private async problemWith(client: RegistryClient, pushed: Pushed, reference: string): Promise<string | undefined> {
    const { repository, manifest, type, blobs, children } = pushed;
    const get = async (path: string, expected: Buffer) => {
      const { status, body } = await client.ask("GET", `/v2/${repository}/${path}`, {
        as: "admin",
        headers: { Accept: type },
      });
      if (status !== 200) return `GET ${path}: ${String(status)} ${body.toString().slice(0, 200)}`;
      return body.equals(expected) ? undefined : `GET ${path}: corrupt, ${String(body.length)} bytes`;
    };
    try {
      const parts = [[`manifests/${reference}`, manifest] as const];
      for (const [path, expected] of [...parts, ...blobs.map((blob) => [`blobs/${digestOf(blob)}`, blob] as const)]) {
        const problem = await get(path, expected);
        if (problem !== undefined) return problem;
      }
      for (const child of children) {
        const problem = await this.problemWith(client, child, child.digest);
        if (problem !== undefined) return problem;
      }
    } catch (error) {
      return messageOf(error);
    }
    return undefined;
  }

  /** Deletes a manifest that no push relies on, and no index that is there. */
  private async deleteOne(client: RegistryClient): Promise<void> {
    if (this.held.size < 30) return;
    const children = new Set([...this.held.values()].flatMap((each) => each.children.map(keyOf)));
    const free = [...this.held.keys()].filter((key) => !children.has(key) && (this.relied.get(key) ?? 0) === 0);
    if (free.length === 0) return;
    const isRare = (key: string) => this.held.get(key)?.blobs.some((blob) => rare.includes(blob)) === true;
    const soon = free.filter(isRare);
    const key = one(soon.length > 0 ? soon : free);
    const pushed = this.held.get(key);
    if (pushed === undefined) return;
    const tags = [...this.tags].filter(([, to]) => to === key).map(([tag]) => tag);
    for (const each of [key, ...tags]) this.deleting.add(each);
    this.deleted.set(key, (this.deleted.get(key) ?? 0) + 1);
    this.held.delete(key);
    for (const tag of tags) this.tags.delete(tag);
    const { status, body } = await client.ask("DELETE", `/v2/${pushed.repository}/manifests/${pushed.digest}`, {
      as: "admin",
    });
    if (status === 202) this.count.deletions++;
    else this.count.lost.push(`DELETE ${key}: ${String(status)} ${body.toString().slice(0, 200)}`);
    for (const each of [key, ...tags]) this.deleting.delete(each);
  }
}

function keyOf({ repository, digest }: Pushed): string {
  return `${repository}@${digest}`;
}

function one<Each>(all: readonly Each[]): Each {
  const chosen = all[Math.floor(Math.random() * all.length)];
  if (chosen === undefined) throw new Error("nothing to choose from");
  return chosen;
}

function mustBe(status: number, answer: Answer, what: string): void {
  if (answer.status === status) return;
  throw new Error(`${what}: ${String(answer.status)} ${answer.body.toString().slice(0, 300)}`);
}
