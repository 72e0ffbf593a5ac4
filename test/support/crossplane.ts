import { readFileSync } from "node:fs";
import { join } from "node:path";

import { cached } from "./cache.ts";
import { succeed } from "./run.ts";

/** An nginx directive, as crossplane reads it: without quotes, but with the backslashes that nginx would remove. */
export interface Directive {
  readonly directive: string;
  readonly args: readonly string[];
  readonly block?: readonly Directive[];
}

const requirements = join(import.meta.dirname, "crossplane.txt");

const program = `
import crossplane, json, sys
def plain(block):
    return [{k: plain(v) if k == "block" else v for k, v in d.items() if k != "line"} for d in block]
def tree(path):
    payload = crossplane.parse(path, catch_errors=False)
    assert payload["status"] == "ok" and len(payload["config"]) == 1, payload
    return plain(payload["config"][0]["parsed"])
json.dump([tree(path) for path in json.load(sys.stdin)], sys.stdout)
`;

/** Reads nginx's configuration files with a parser that shares no code with nginx. */
export async function readConfigurations(paths: readonly string[]): Promise<Directive[][]> {
  const env = { ...process.env, PYTHONPATH: await install() };
  const trees = await succeed("python3", ["-c", program], { env, input: JSON.stringify(paths) });
  return JSON.parse(trees) as Directive[][];
}

/** Returns the folder of crossplane. It is installed there once. */
function install(): Promise<string> {
  const [requirement = ""] = readFileSync(requirements, "utf8").split(" ");
  return cached(requirement.replace("==", "-"), async (path) => {
    await succeed("python3", [
      ...["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"],
      ...["--target", path, "--requirement", requirements],
    ]);
  });
}
