import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { cached } from "./cache.ts";
import { succeed } from "./run.ts";

const package_ = "test/iam";

/** What somebody asks of AWS. */
export interface IamRequest {
  /** `route53:GetChange` */
  readonly action: string;
  /** Its ARN; `*` if the action is about nothing in particular. */
  readonly resource: string;
  /** What AWS knows of the request, by the names of its condition keys. */
  readonly context: Readonly<Record<string, string | string[]>>;
}

interface Simulator {
  readonly runSimulation: (
    simulation: object,
    options: object,
  ) => Promise<{ readonly resultType: string; readonly overallResult?: string; readonly errors?: unknown }>;
}

/**
 * Whether a user with a policy may do something, as AWS decides. A policy or a request that AWS doesn't know, with another
 * condition key for example, throws.
 */
export async function isAllowed(policy: string, { action, resource, context }: IamRequest): Promise<boolean> {
  const { runSimulation } = await simulator();
  const accountId = "123456789012";
  const { resultType, overallResult, errors } = await runSimulation(
    {
      request: {
        principal: `arn:aws:iam::${accountId}:user/someone`,
        action,
        resource: { resource, accountId },
        contextVariables: context,
      },
      identityPolicies: [{ name: "policy", policy: JSON.parse(policy) as unknown }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  );
  assert.notEqual(resultType, "error", JSON.stringify(errors));
  return overallResult === "Allowed";
}

async function simulator(): Promise<Simulator> {
  const hash = createHash("sha256").update(readFileSync(join(package_, "package-lock.json")));
  const folder = await cached(`iam-${hash.digest("hex").slice(0, 12)}`, async (path) => {
    mkdirSync(path);
    for (const file of ["package.json", "package-lock.json"]) cpSync(join(package_, file), join(path, file));
    await succeed("npm", ["ci", "--prefix", path, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
  });
  const entry = join(folder, "node_modules/@cloud-copilot/iam-simulate/dist/esm/index.js");
  return (await import(entry)) as Simulator;
}
