import { parseDocument } from "yaml";

import { configCommand } from "../components/commands.ts";
import { isRecord, readJson } from "./json.ts";
import type { Problem } from "./problems.ts";
import { settings } from "./schema.ts";
import { secretsIn } from "./shape.ts";

/** The secret settings of the cloud providers. */
const ofProviders = [
  ...["digitalocean:token", "digitalocean:spacesSecretKey"],
  ...["aws:secretKey", "aws:token", "dnsimple:token"],
];

/**
 * Finds the secrets that are unencrypted in a stack's file, for a warning. Pulumi reports only for a whole setting
 * whether something in it is secret.
 *
 * @param text The file, YAML. A file that Pulumi can't read yields nothing.
 */
export function clearSecrets(project: string, text: string): Problem[] {
  const file = parseDocument(text, { logLevel: "silent" }).toJS() as unknown;
  const config = isRecord(file) && isRecord(file["config"]) ? file["config"] : {};
  const own = Object.entries(settings.shape).flatMap(([key, shape]) => {
    const value = config[`${project}:${key}`];
    // A list or an object may also be set as JSON.
    return secretsIn(shape, typeof value === "string" ? readJson(value) : value, key);
  });
  const values = [...own, ...ofProviders.map((key) => [key, config[key]] as const)];
  const wrong = "is not encrypted in the stack's file: everybody who can read the file sees it";
  return values
    .filter(([, value]) => isClear(value))
    .map(([setting]) => ({ setting, wrong, cure: `change it, and encrypt the new value: ${commandFor(setting)}` }));
}

/** A value that Pulumi encrypted is an object, `secure: …`. */
function isClear(value: unknown): boolean {
  return typeof value === "number" || (typeof value === "string" && value !== "");
}

/** Pulumi prompts for a single line, so a key comes from a file. */
function commandFor(setting: string): string {
  return `${configCommand("set --secret", setting)}${setting === "certificate.key" ? " < SERVER.key" : ""}`;
}
