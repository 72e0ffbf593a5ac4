import { parseDocument } from "yaml";

import { configCommand } from "../components/commands.ts";
import { isRecord, readJson } from "./json.ts";
import type { Problem } from "./problems.ts";
import { settings } from "./schema.ts";
import { secretsIn } from "./shape.ts";

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
  const own = Object.entries(settings.shape).flatMap(([key, shape]) => {
    const value = config[`${project}:${key}`];
    // A list or an object may also be set as JSON.
    return secretsIn(shape, typeof value === "string" ? readJson(value) : value, key);
  });
  const values = [...own, ...ofProviders.map((key) => [key, config[key]] as const)];
  const wrong = "is in clear in the stack's file, for all who can read it";
  return values
    .filter(([, value]) => isClear(value))
    .map(([setting]) => ({ setting, wrong, cure: `change it, and encrypt the new one: ${commandFor(setting)}` }));
}

/** What Pulumi encrypted is an object, `secure: …`. */
function isClear(value: unknown): boolean {
  return typeof value === "number" || (typeof value === "string" && value !== "");
}

/** Pulumi asks for one line. */
function commandFor(setting: string): string {
  return `${configCommand("set --secret", setting)}${setting === "certificate.key" ? " < SERVER.key" : ""}`;
}
