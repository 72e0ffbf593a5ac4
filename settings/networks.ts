import { isIP } from "node:net";

import ipaddr from "ipaddr.js";

import { configCommand } from "../components/commands.ts";
import { quoted } from "./json.ts";
import type { Check } from "./kinds.ts";

/** The network in a text, as clouds write it, and whether the text is exactly that; undefined if it has none. */
export function parseNetwork(given: string): { network: string; isWhole: boolean } | undefined {
  const [text = "", length, ...rest] = given.split("/");
  if (isIP(text) === 0 || text.includes("%") || rest.length > 0) return undefined;
  const address = ipaddr.parse(text);
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()) return undefined;
  const family = address instanceof ipaddr.IPv4 ? ipaddr.IPv4 : ipaddr.IPv6;
  const bits = 8 * address.toByteArray().length;
  if (length === undefined) return { network: `${address.toString()}/${String(bits)}`, isWhole: true };
  if (!/^\d{1,3}$/.test(length) || Number(length) > bits) return undefined;
  const first = family.networkAddressFromCIDR(`${text}/${length}`).toString();
  return { network: `${first}/${String(Number(length))}`, isWhole: first === address.toString() };
}

const networkOf = (text: string) => parseNetwork(text)?.network ?? "";

/** A network in CIDR notation. A single address is a network too. */
export const network: readonly Check[] = [
  { holds: (text) => networkOf(text) !== "" },
  {
    holds: (text) => parseNetwork(text)?.isWhole === true,
    wrong: (text) =>
      `${quoted(text)} is an address in the network ${networkOf(text)}: name the network, or the address alone`,
    cure: (path, text) => configCommand("set", path, networkOf(text)),
  },
];

/** Networks as clouds accept them, without duplicates. */
export function networks(texts: readonly (string | undefined)[]): string[] {
  return [...new Set(texts.map((text = "") => networkOf(text)))];
}
