import { parseDocument } from "yaml";

import { configCommand } from "../components/commands.ts";
import { isRecord, readJson } from "./json.ts";
import type { Problem } from "./problems.ts";

/** The settings of the clouds' own providers that are secret. */
const ofProviders = [
  ...["digitalocean:token", "digitalocean:spacesSecretKey"],
  ...["aws:secretKey", "aws:token", "dnsimple:token"],
];

/**
 * The secrets that stand in a stack's file as they are, to be warned of. Pulumi tells of a whole setting only whether
 * something in it is secret.
 *
 * @param text The file, YAML. One that Pulumi itself can't read holds none.
 */
export function clearSecrets(project: string, text: string): Problem[] {
  const file = parseDocument(text, { logLevel: "silent" }).toJS() as unknown;
  const config = isRecord(file) && isRecord(file["config"]) ? file["config"] : {};
  const own = (key: string) => {
    const value = config[`${project}:${key}`];
    // A list or an object may also be set as JSON.
    return typeof value === "string" ? readJson(value) : value;
  };
  const users: unknown = own("users");
  const values: Record<string, unknown> = {
    ...Object.fromEntries(
      (Array.isArray(users) ? users : []).map((user, i) => [`users[${String(i)}].password`, partOf(user, "password")]),
    ),
    "certificate.key": partOf(own("certificate"), "key"),
    "dns.token": partOf(own("dns"), "token"),
    ...Object.fromEntries(ofProviders.map((key) => [key, config[key]])),
  };
  const wrong = "is in clear in the stack's file, for all who can read it";
  return Object.entries(values)
    .filter(([, value]) => isClear(value))
    .map(([setting]) => ({ setting, wrong, cure: `change it, and encrypt the new one: ${commandFor(setting)}` }));
}

function partOf(value: unknown, key: string): unknown {
  return isRecord(value) ? value[key] : undefined;
}

/** What Pulumi encrypted is an object, `secure: …`. */
function isClear(value: unknown): boolean {
  return typeof value === "number" || (typeof value === "string" && value !== "");
}

/** Pulumi asks for one line. */
function commandFor(setting: string): string {
  return `${configCommand("set --secret", setting)}${setting === "certificate.key" ? " < SERVER.key" : ""}`;
}
