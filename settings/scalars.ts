import { configCommand } from "../components/commands.ts";
import { isPlain, isTaken } from "./dataPath.ts";
import { isExact, isReference } from "./images.ts";
import { isNot, quoted } from "./json.ts";
import type { Check } from "./kinds.ts";

/** Whether a text is a DNS name according to RFC 1123, or an IPv4 address. */
export function isHostname(text: string): boolean {
  const labels = text.split(".");
  return /^\d+$/.test(labels.at(-1) ?? "")
    ? labels.length === 4 && labels.every((label) => /^(0|[1-9]\d{0,2})$/.test(label) && Number(label) <= 255)
    : text.length <= 253 && labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(label));
}

export const hostname: Check = {
  holds: isHostname,
  wrong: (text) => `${quoted(text)} is neither a DNS name nor an IPv4 address`,
};

/** A hostname or a wildcard, in which a star stands for one label. */
export const certificateName: Check = {
  holds: (text) => isHostname(text.replace(/^\*\./, "")),
  wrong: (text) => `${quoted(text)} is neither a DNS name nor a wildcard as *.example.com`,
};

/** An image reference with an exact version or a digest. */
export const image: readonly Check[] = [
  { holds: isReference, wrong: (text) => isNot(text, "an image reference") },
  { holds: isExact, wrong: (text) => `${quoted(text)} has no exact version, so the image could change without notice` },
];

/** A size in nginx's notation, up to a pebibyte, which nginx can still handle. */
export const size: Check = {
  holds: (text) => {
    const [, digits = "", unit = ""] = /^([1-9]\d{0,9})([kmg])$/.exec(text) ?? [];
    return Number(digits) * { k: 1, m: 1024, g: 1024 ** 2 }[unit as "k" | "m" | "g"] <= 1024 ** 4;
  },
};

/** Everything in the folder gets the registry's user as its owner, so nobody else may need the folder. */
export const dataPath: readonly Check[] = [
  {
    holds: isPlain,
    wrong: (text) => `${quoted(text)} is not an absolute path on the engine's machine`,
    cure: (path) =>
      `write the path from the root, without ~, .., // or a colon: ${configCommand("set", path, "/srv/registry")}`,
  },
  {
    holds: (text) => !isTaken(text),
    wrong: (text) =>
      `${quoted(text)} is a folder that others need, and everything in it would get the registry's user as its owner`,
    cure: (path) =>
      `name a folder for the registry alone, and move existing data there: ${configCommand("set", path, "/srv/registry")}`,
  },
];

/** The limits on a user's name: those of the password file and of HTTP basic authentication. */
export const userName: readonly Check[] = [
  { holds: (name) => name !== "", wrong: () => "is missing" },
  { holds: (name) => name !== "__proto__", wrong: () => '"__proto__" can\'t be used as a user name' },
  { holds: (name) => !/\p{Surrogate}/u.test(name), wrong: () => "is not well-formed Unicode" },
  { holds: hasNoControlCharacter, wrong: (name) => `${quoted(name)} has a control character` },
  {
    holds: (name) => !name.includes(":"),
    wrong: (name) => `"${name}" has a colon, which ends the name in HTTP basic authentication`,
  },
  {
    holds: (name) => !name.startsWith("#"),
    wrong: (name) => `"${name}" begins with #, which would make its line in the password file a comment`,
  },
  { holds: (name) => Buffer.byteLength(name) <= 255, wrong: () => "is longer than 255 bytes" },
];

/** The limits on a password. No message quotes one. */
export const password: readonly Check[] = [
  {
    holds: hasNoControlCharacter,
    wrong: () => "has a control character, which HTTP basic authentication can't carry",
  },
  {
    holds: (text) => Buffer.byteLength(text) <= 72,
    wrong: (text) => `has ${String(Buffer.byteLength(text))} bytes; bcrypt uses only the first 72`,
  },
];

function hasNoControlCharacter(text: string): boolean {
  return !/\p{Cc}/u.test(text);
}
