import { configCommand } from "../components/commands.ts";
import { isPlain, isTaken } from "./dataPath.ts";
import { isExact, isReference } from "./images.ts";
import { isNot, quoted } from "./json.ts";
import type { Check } from "./kinds.ts";

/** A DNS name as RFC 1123 has it, or an IPv4 address. */
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

/** An image that is the same tomorrow. */
export const image: readonly Check[] = [
  { holds: isReference, wrong: (text) => isNot(text, "an image reference") },
  { holds: isExact, wrong: (text) => `${quoted(text)} names no exact version, so it would change by itself` },
];

/** As nginx writes sizes, up to a pebibyte, which it can still count. */
export const size: Check = {
  holds: (text) => {
    const [, digits = "", unit = ""] = /^([1-9]\d{0,9})([kmg])$/.exec(text) ?? [];
    return Number(digits) * { k: 1, m: 1024, g: 1024 ** 2 }[unit as "k" | "m" | "g"] <= 1024 ** 4;
  },
};

/** Whatever is in it is given to the registry's user, so that it can't be a folder that others need. */
export const dataPath: readonly Check[] = [
  {
    holds: isPlain,
    wrong: (text) => `${quoted(text)} is not an absolute folder of the engine's machine`,
    cure: (path) =>
      `write it from the root, without ~, .., // or a colon: ${configCommand("set", path, "/srv/registry")}`,
  },
  {
    holds: (text) => !isTaken(text),
    wrong: (text) =>
      `${quoted(text)} is a folder that others need, and all in it would be given to the registry's user`,
    cure: (path) =>
      `name one for the registry alone, and move what it has there already: ${configCommand("set", path, "/srv/registry")}`,
  },
];
