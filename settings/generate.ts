// Generates parts of Pulumi.yaml and docs/settings.md from settings/schema.ts.
//   node settings/generate.ts            write the files
//   node settings/generate.ts --check    fail if a file is out of date, or if a setting is in no table or no stack file
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { generated, notInPage, notShown, readGenerated } from "./documents.ts";

const { check } = parseArgs({ options: { check: { type: "boolean", default: false } } }).values;

for (const file of generated) {
  const { text, fresh } = await readGenerated(file);
  if (fresh === text) continue;
  if (check) fail(`${file} is out of date with settings/schema.ts. To update it: node settings/generate.ts`);
  else writeFileSync(file, fresh);
}

const read = (file: string): string => readFileSync(file, "utf8");
const lacking = {
  "No table of docs/settings.md names": notInPage(read("docs/settings.md")),
  "Neither Pulumi.dev1.yaml nor Pulumi.remote.yaml shows": notShown(
    ["Pulumi.dev1.yaml", "Pulumi.remote.yaml"].map(read),
  ),
};
for (const [what, settings] of Object.entries(lacking))
  if (settings.length > 0) fail(`${what}: ${settings.join(", ")}`);

function fail(why: string): void {
  console.error(why);
  process.exitCode = 1;
}
