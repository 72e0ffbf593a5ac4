import { createCipheriv, createHash } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";

/** Bytes that can't be compressed or deduplicated. The same seed gives the same bytes. */
export function bytesOf(seed: string, size: number): Buffer {
  return streamOf(seed).update(Buffer.alloc(size));
}

/** Writes a file of such bytes. Returns its SHA-256, hexadecimal. */
export function writeBlob(path: string, seed: string, megabytes: number): string {
  const stream = streamOf(seed);
  const hash = createHash("sha256");
  const zeros = Buffer.alloc(1e6);
  const file = openSync(path, "w");
  for (let written = 0; written < megabytes; written++) {
    const bytes = stream.update(zeros);
    hash.update(bytes);
    writeSync(file, bytes);
  }
  closeSync(file);
  return hash.digest("hex");
}

function streamOf(seed: string) {
  return createCipheriv("aes-256-ctr", createHash("sha256").update(seed).digest(), Buffer.alloc(16));
}
