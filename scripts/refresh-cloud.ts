// Brings the state up to date with what a stack has in clouds, without a word to its machine: somebody may have deleted
// something there, and so may a run that was killed.
//   tsx scripts/refresh-cloud.ts STACK         with the environment of scripts/env
// A data volume is never forgotten by it, unless FORGET names its id.
import { spawnSync } from "node:child_process";

import { importState, pulumiJson, type Resource, stateOf } from "./pulumi";

const [stack = ""] = process.argv.slice(2);

const exported = pulumiJson(["stack", "export", "--stack", stack]);
const { resources } = stateOf(stack, exported);
if (resources.some(({ type }) => /^(digitalocean|aws):/.test(type))) refresh();

function refresh(): void {
  console.error("▸ Looking at what the cloud has");
  const targets = ["**$digitalocean:**", "**$aws:**"].flatMap((target) => ["--target", target]);
  const options = ["--yes", "--skip-preview", "--non-interactive", "--suppress-outputs"];
  const { status } = spawnSync("pulumi", ["refresh", "--stack", stack, ...options, ...targets], {
    stdio: ["ignore", process.stderr, "inherit"],
  });
  if (status !== 0) console.error("▸ That failed; going on with what the state has");

  const left = new Set(stateOf(stack).resources.map(({ id }) => id));
  const lost = resources.filter(isKept).filter(({ id = "" }) => !left.has(id) && id !== process.env["FORGET"]);
  if (lost.length === 0) return;
  importState(stack, exported);
  for (const { id = "" } of lost) {
    console.error(
      `The data volume ${id} is not in this account. Either these are the credentials of another one, or somebody ` +
        `deleted it, with all that was pushed. If so, begin with an empty one: make … STACK=${stack} FORGET=${id}`,
    );
  }
  process.exit(1);
}

/** A data volume, unless a purge has begun to delete it. */
function isKept({ type, protect }: Resource): boolean {
  return protect === true && type.endsWith("/volume:Volume");
}
