// Writes what the schema of the settings says into Pulumi.yaml and docs/settings.md.
//   node settings/generate.ts            write it
//   node settings/generate.ts --check    fail where it is stale, or where a setting is in no stack file
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { generated, notShown, readGenerated } from "./documents.ts";

const { check } = parseArgs({ options: { check: { type: "boolean", default: false } } }).values;

for (const file of generated) {
  const { text, fresh } = await readGenerated(file);
  if (fresh === text) continue;
  if (check) fail(`${file} is not what settings/schema.ts says. To write it: node settings/generate.ts`);
  else writeFileSync(file, fresh);
}

const stackFiles = ["Pulumi.dev1.yaml", "Pulumi.remote.yaml"];
const missing = notShown(stackFiles.map((file) => readFileSync(file, "utf8")));
if (missing.length > 0) fail(`${stackFiles.join(" and ")} do not show: ${missing.join(", ")}`);

function fail(why: string): void {
  console.error(why);
  process.exitCode = 1;
}
