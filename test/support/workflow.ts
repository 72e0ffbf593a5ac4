import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { parse } from "yaml";

import { type Result, run } from "./run.ts";

interface Step {
  readonly id?: string;
  readonly name?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, string | boolean | number>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly run?: string;
}

interface Job {
  readonly env?: Readonly<Record<string, string>>;
  readonly permissions: Readonly<Record<string, string>>;
  readonly environment?: string;
  readonly steps: readonly Step[];
}

interface Workflow {
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

export const weekly = parse(readFileSync(".github/workflows/weekly.yml", "utf8")) as Workflow;

export interface RunnerOptions {
  /** The repository's checkout. */
  readonly folder: string;
  /** Where the artifacts of a workflow's run are. */
  readonly artifacts: string;
  /** The runner's own environment. */
  readonly env: NodeJS.ProcessEnv;
  /** The values of `${{ … }}`, by what is in the braces. Only these may be used. */
  readonly expressions: Readonly<Record<string, string>>;
  /** Steps that are not run, by their commands. */
  readonly skipped?: readonly string[];
}

/** Runs the steps of a job as a runner would: its commands really, and of the actions those for artifacts. */
export async function runJob(job: Job, { folder, artifacts, env, expressions, skipped = [] }: RunnerOptions) {
  const outcomes: Record<string, string> = {};
  const valueOf = (expression: string): string => {
    const [, id] = /^steps\.(\w+)\.outcome$/.exec(expression) ?? [];
    const value = id === undefined ? expressions[expression] : outcomes[id];
    if (value === undefined) throw new Error(`the workflow uses ${expression}`);
    return value;
  };
  const filled = (text: string) => text.replace(/\$\{\{ (.*?) \}\}/g, (_, expression: string) => valueOf(expression));
  const variables = (given: Readonly<Record<string, string>> = {}) =>
    Object.fromEntries(Object.entries(given).map(([name, text]) => [name, filled(text)]));

  const results: Result[] = [];
  let isWell = true;
  for (const step of job.steps) {
    if (step.if !== undefined && step.if !== "${{ !cancelled() }}")
      throw new Error(`a step has the condition ${step.if}`);
    const isDue = isWell || step.if !== undefined;
    if (step.id !== undefined) outcomes[step.id] = "skipped";
    if (!isDue || (step.run !== undefined && skipped.includes(step.run))) continue;
    if (step.uses !== undefined) useAction(step, folder, artifacts, filled);
    if (step.run === undefined) continue;
    const own = { ...variables(job.env), ...variables(step.env) };
    const result = await run("bash", ["-e", "-c", step.run], { cwd: folder, env: { ...env, ...own } });
    results.push(result);
    if (step.id !== undefined) outcomes[step.id] = result.code === 0 ? "success" : "failure";
    isWell &&= result.code === 0;
  }
  return { isWell, outcomes, output: results.map(({ output }) => output).join("") };
}

function useAction(
  { uses = "", with: given = {} }: Step,
  folder: string,
  artifacts: string,
  filled: (text: string) => string,
) {
  const [action = ""] = uses.split("@");
  const input = (name: string) => filled(String(given[name]));
  switch (action) {
    case "actions/checkout":
    case "actions/setup-node":
      return;
    case "actions/upload-artifact":
      if (/(^|\/)\./.test(input("path"))) throw new Error("hidden files are not uploaded");
      cpSync(join(folder, input("path")), join(artifacts, input("name")), { recursive: true });
      return;
    case "actions/download-artifact": {
      const prefix = input("pattern").replace(/\*$/, "");
      for (const name of existsSync(artifacts) ? readdirSync(artifacts) : []) {
        if (!name.startsWith(prefix)) continue;
        mkdirSync(join(folder, input("path")), { recursive: true });
        cpSync(join(artifacts, name), join(folder, input("path")), { recursive: true });
      }
      return;
    }
    default:
      throw new Error(`the workflow uses ${uses}`);
  }
}
