const prefix = "sha256:";

/** The value of a hexadecimal digit by its character code; 16 for anything else. The registry writes small letters. */
const valueOf = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = "0123456789abcdef".indexOf(String.fromCharCode(code));
  return value < 0 ? 16 : value;
});

/** A set of SHA-256 digests, numbered in the order in which they came: 64 to 100 bytes for each. */
export class Digests {
  size = 0;
  /** Eight words for each digest. */
  private words = new Uint32Array(8 * 512);
  /** The number of a digest plus one, at the first free place from its first word on. */
  private slots = new Uint32Array(1024);
  private readonly read = new Uint32Array(8);

  /** The number of the digest whose 64 digits are in a text at a place. Adds it if it is new; -1: there is none. */
  add(text: string, at = 0): number {
    if (!this.parse(text, at)) return -1;
    const slot = this.find();
    const known = this.slots[slot] ?? 0;
    if (known > 0) return known - 1;
    if (8 * this.size === this.words.length) this.words = grown(this.words);
    this.words.set(this.read, 8 * this.size);
    this.slots[slot] = ++this.size;
    if (2 * this.size > this.slots.length) this.spread();
    return this.size - 1;
  }

  /** The same without adding it: -1 if it isn't among them. */
  indexOf(text: string, at = 0): number {
    return this.parse(text, at) ? (this.slots[this.find()] ?? 0) - 1 : -1;
  }

  /** The 64 digits of one of them. */
  hexOf(index: number): string {
    const words = this.words.subarray(8 * index, 8 * index + 8);
    return Array.from(words, (word) => word.toString(16).padStart(8, "0")).join("");
  }

  private parse(text: string, at: number): boolean {
    for (let word = 0; word < 8; word++) {
      let value = 0;
      for (let digit = 0; digit < 8; digit++) {
        const four = valueOf[text.charCodeAt(at + 8 * word + digit)] ?? 16;
        if (four > 15) return false;
        value = (value << 4) | four;
      }
      this.read[word] = value;
    }
    return true;
  }

  /** The place of the digest that was read last. */
  private find(): number {
    const last = this.slots.length - 1;
    for (let slot = (this.read[0] ?? 0) & last; ; slot = (slot + 1) & last) {
      const known = this.slots[slot] ?? 0;
      if (known === 0 || this.isRead(known - 1)) return slot;
    }
  }

  private isRead(index: number): boolean {
    for (let word = 0; word < 8; word++) if (this.words[8 * index + word] !== this.read[word]) return false;
    return true;
  }

  private spread(): void {
    this.slots = new Uint32Array(2 * this.slots.length);
    for (let index = 0; index < this.size; index++) {
      this.read.set(this.words.subarray(8 * index, 8 * index + 8));
      this.slots[this.find()] = index + 1;
    }
  }
}

function grown(words: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * words.length);
  larger.set(words);
  return larger;
}

/**
 * Finds every digest in a manifest, whatever the field: config, layers, children, subject, even an annotation.
 *
 * @param found Called with a text and the place where 64 digits may begin.
 */
export function findDigests(manifest: string, found: (text: string, at: number) => void): void {
  // A digit or the colon may be spelled by its number, which the registry understands.
  const text = manifest.includes("\\u") ? plain(manifest) : manifest;
  for (let at = text.indexOf(prefix); at >= 0; at = text.indexOf(prefix, at)) {
    at += prefix.length;
    found(text, at);
  }
}

function plain(manifest: string): string {
  try {
    return JSON.stringify(JSON.parse(manifest)) + manifest;
  } catch {
    return manifest;
  }
}
