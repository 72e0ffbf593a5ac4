import { existsSync, readFileSync } from "node:fs";

import * as pulumi from "@pulumi/pulumi";

import { inNewShell } from "../components/commands.ts";
import { readAnonymous, readRules } from "./access.ts";
import { readCare } from "./care.ts";
import { readCertificate } from "./certificate.ts";
import { clearSecrets } from "./clearSecrets.ts";
import { type Configuration, ownSettings, type RawSettings } from "./configuration.ts";
import { crossCheck } from "./crossChecks.ts";
import { readDns } from "./dns.ts";
import type { Environment } from "./environment.ts";
import { checkMeaning, engineOf, readHost } from "./host.ts";
import { readJson } from "./json.ts";
import { needsShell, type Problem, Problems } from "./problems.ts";
import * as schema from "./schema.ts";
import type { Parsed } from "./settings.ts";
import { isScalar, readShape } from "./shape.ts";
import { readUsers } from "./users.ts";

export { engineOf } from "./host.ts";
export type { Parsed, Settings } from "./settings.ts";

/** The settings of a stack that could be read; complete if there are no problems. */
export interface Reading {
  readonly settings: Parsed;
  readonly problems: Problem[];
}

/** Reads the settings of the running stack. Warns about settings that are valid but probably not intended. */
export function readSettings(): Reading {
  const stack = pulumi.getStack();
  const { settings, problems, warnings } = parseConfiguration(pulumi.getProject(), pulumi.runtime.allConfig());
  for (const warning of [...warnings, ...clearSecrets(pulumi.getProject(), readStackFile(stack))]) {
    const { setting, wrong, cure } = warning;
    const lines = [`${setting}: ${wrong}.`, cure, ...(needsShell(warning) ? [inNewShell(stack)] : [])];
    void pulumi.log.warn(lines.join("\n    "));
  }
  return { settings, problems };
}

/** Parses the settings of a stack from its whole configuration, with secrets in clear text, and the environment. */
export function parseConfiguration(project: string, configuration: Configuration, env = process.env) {
  return parseSettings(ownSettings(project, configuration), { env, providers: configuration, now: new Date() });
}

/** Reads the stack file in the working folder; empty if the configuration is stored elsewhere. */
function readStackFile(stack: string): string {
  const file = `Pulumi.${stack}.yaml`;
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** Checks the settings and the files that they name, without the network. Reports every problem, not only the first. */
export function parseSettings(
  raw: RawSettings,
  environment: Environment = { env: process.env, now: new Date() },
): { settings: Parsed; problems: Problem[]; warnings: Problem[] } {
  const problems = new Problems();
  const { target: named = "" } = raw;
  const target = schema.targets.find((known) => known === (named === "" ? "local" : named));
  // First: a setting without meaning need not be valid, and the first problem of a setting is the one reported.
  if (target !== undefined) checkMeaning(target, raw, problems);
  const given = readShape(schema.settings, decoded(raw), "", problems);
  const host = target && readHost(target, raw, given?.dataPath, environment, problems);
  const engine = engineOf(host);
  const hostname = given?.hostname?.toLowerCase();
  const port = given?.port;
  const users = readUsers(given?.users ?? [], problems);
  const settings = {
    host,
    hostname,
    port,
    images: {
      registry: given?.registryImage ?? "",
      proxy: given?.proxyImage ?? "",
      lego: given?.legoImage ?? "",
      node: given?.nodeImage ?? "",
    },
    users,
    rules: readRules(given?.rules ?? [], users, problems),
    anonymous: readAnonymous(given?.anonymous, port, problems),
    deletion: given?.deletion ?? false,
    drainTimeout: given?.drainTimeout ?? 0,
    limits: { guessesPerMinute: given?.guessesPerMinute ?? 0, maxUploadSize: given?.maxUploadSize },
    certificate: readCertificate(
      given?.certificate,
      hostname ?? engine?.address,
      given?.dns?.zone,
      environment,
      problems,
    ),
    care: readCare(given?.care),
    dns: readDns(given?.dns, hostname, engine?.address, problems),
  };
  crossCheck(settings, environment, problems);
  return { settings, problems: problems.all, warnings: problems.warnings };
}

/** Parses lists and objects, which Pulumi passes as JSON. */
function decoded(raw: RawSettings): Record<string, unknown> {
  const shapes: Readonly<Record<string, Parameters<typeof isScalar>[0]>> = schema.settings.shape;
  return Object.fromEntries(
    Object.entries(raw).map(([key, text]) => {
      const shape = Object.hasOwn(shapes, key) ? shapes[key] : undefined;
      return [key, shape === undefined || isScalar(shape) ? text : readJson(text)];
    }),
  );
}
