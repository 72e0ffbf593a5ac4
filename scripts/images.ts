// Prints the image references that a stack's settings name, one a line: tsx scripts/images.ts STACK
import { pulumiJson } from "./pulumi";

const [stack = ""] = process.argv.slice(2);
const config = pulumiJson(["config", "--json", "--stack", stack]) as Record<string, { value?: string }>;
for (const key of ["registryImage", "proxyImage"]) console.log(config[`private-registry:${key}`]?.value ?? "");
