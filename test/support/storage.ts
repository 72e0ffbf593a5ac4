import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import {
  blobData,
  blobFolder,
  blobMarker,
  layersOf,
  repositoriesFolder,
  revisionsOf,
} from "../../components/care/keeper/layout.ts";

import type { Disk } from "../../components/care/keeper/levels.ts";

/** Longer than any grace of a test, in seconds. */
export const old = 100_000;

/** A data folder as the registry writes it, with files as old as a test wants. */
export class Storage {
  readonly root: string;

  constructor(root = mkdtempSync(join(tmpdir(), "storage-"))) {
    this.root = root;
    mkdirSync(join(root, repositoriesFolder), { recursive: true });
  }

  /** Stores a blob. Returns the digits of its digest. */
  blob(content: string, age = old): string {
    const hex = hexOf(content);
    if (!this.has(blobData(hex))) this.write(blobData(hex), content, age);
    return hex;
  }

  /** Links a layer. */
  link(repository: string, hex: string, age = old): string {
    return this.write(`${layersOf(repository)}/${hex}/link`, `sha256:${hex}`, age);
  }

  /** Pushes a layer: its blob and its link. */
  layer(repository: string, content: string, age = old): string {
    const hex = this.blob(content, age);
    this.link(repository, hex, age);
    return hex;
  }

  /** Pushes a manifest, whatever it is. */
  manifest(
    repository: string,
    content: object | string,
    { age = old, tag }: { age?: number; tag?: string } = {},
  ): string {
    const hex = this.blob(typeof content === "string" ? content : JSON.stringify(content), age);
    this.write(`${revisionsOf(repository)}/${hex}/link`, `sha256:${hex}`, age);
    if (tag !== undefined) this.tag(repository, tag, hex, age);
    return hex;
  }

  /** Pushes an image of these layers. */
  image(repository: string, layers: readonly string[], more: { age?: number; tag?: string } = {}): string {
    const digests = layers.map((layer) => ({ digest: `sha256:${this.layer(repository, layer, more.age)}` }));
    return this.manifest(repository, { schemaVersion: 2, layers: digests }, more);
  }

  /** Begins an upload that was written to so long ago, and leaves its bytes there. */
  upload(repository: string, id: string, content: string | Buffer, age = 0): void {
    const folder = `${repositoriesFolder}/${repository}/_uploads/${id}`;
    this.write(`${folder}/startedat`, "", age);
    this.write(`${folder}/hashstates/sha256/0`, "", age);
    this.write(`${folder}/data`, content, age);
  }

  tag(repository: string, tag: string, hex: string, age = old): void {
    const folder = `${repositoriesFolder}/${repository}/_manifests/tags/${tag}`;
    this.write(`${folder}/index/sha256/${hex}/link`, `sha256:${hex}`, age);
    this.write(`${folder}/current/link`, `sha256:${hex}`, age);
  }

  /** Deletes a manifest, as the registry's API does: the folder of its link stays. */
  deleteManifest(repository: string, hex: string, age = old): void {
    const folder = `${revisionsOf(repository)}/${hex}`;
    rmSync(this.path(`${folder}/link`));
    this.age(folder, age);
    const tags = `${repositoriesFolder}/${repository}/_manifests/tags`;
    for (const tag of existsSync(this.path(tags)) ? readdirSync(this.path(tags)) : []) {
      if (!this.read(`${tags}/${tag}/current/link`).endsWith(hex)) continue;
      rmSync(this.path(`${tags}/${tag}`), { recursive: true });
      this.age(tags, age);
    }
  }

  /** Writes a file as the registry does, and makes it and the folders that are new or hold it look old. */
  write(path: string, content: string | Buffer, age = old): string {
    const folder = dirname(path);
    mkdirSync(this.path(folder), { recursive: true });
    writeFileSync(this.path(`${path}.tmp`), content);
    renameSync(this.path(`${path}.tmp`), this.path(path));
    for (let each = path; each !== "."; each = dirname(each)) this.age(each, age);
    return path;
  }

  /** Makes a file or folder as old as that, in seconds. */
  age(path: string, age: number): void {
    const then = Date.now() / 1000 - age;
    utimesSync(this.path(path), then, then);
  }

  /** Makes everything below a folder look older by some seconds, as if they had passed. */
  pass(seconds: number, folder = "."): void {
    for (const entry of readdirSync(this.path(folder), { withFileTypes: true })) {
      if (entry.isDirectory()) this.pass(seconds, join(folder, entry.name));
      const path = this.path(join(folder, entry.name));
      const { atimeMs, mtimeMs } = statSync(path);
      utimesSync(path, atimeMs / 1000 - seconds, mtimeMs / 1000 - seconds);
    }
  }

  path(path: string): string {
    return join(this.root, path);
  }

  has(path: string): boolean {
    return existsSync(this.path(path));
  }

  read(path: string): string {
    return readFileSync(this.path(path), "utf8");
  }

  stat(path: string): Stats {
    return statSync(this.path(path));
  }

  hasBlob(hex: string): boolean {
    return this.has(blobData(hex));
  }

  hasLink(repository: string, hex: string): boolean {
    return this.has(`${layersOf(repository)}/${hex}/link`);
  }

  isCondemned(hex: string): boolean {
    return this.has(blobMarker(hex));
  }

  isLinkCondemned(repository: string, hex: string): boolean {
    return (statSync(this.path(`${layersOf(repository)}/${hex}/link`)).mode & 0o100) !== 0;
  }

  /** The names of the blobs' folders, also of empty ones. */
  folders(): string[] {
    const shards = this.path("docker/registry/v2/blobs/sha256");
    return existsSync(shards) ? readdirSync(shards).flatMap((shard) => readdirSync(join(shards, shard))) : [];
  }

  blobFolder(hex: string): string {
    return this.path(blobFolder(hex));
  }

  dispose(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** A disk of that many bytes that has nothing but this folder, whose files take what they take on the real one. */
export function diskOf(root: string, capacity: number): Disk {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const blocks = files.map(({ parentPath, name }) => statSync(join(parentPath, name)).blocks);
  const used = blocks.reduce((sum, each) => sum + each, 0) * 512;
  return { bytes: { all: capacity, free: capacity - used }, files: { all: 0, free: 0 } };
}

/** The digits of the digest of a content. */
export function hexOf(content: string): string {
  return createHash("sha256").update(content).digest("hex");
}
