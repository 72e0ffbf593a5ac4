// Loaded before a program: kills it at a change that it makes to files, as if the machine's power failed there.
//   DIE_AT=17 node --import ./test/support/dying.ts …                     before the 18th change
//   DIE_AFTER='3 settling/.*/data$' node --import …                      after the third change of a path like this
// With DIE_AT=never it prints the number of changes at the end.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const { DIE_AT: dieAt, DIE_AFTER: dieAfter } = process.env;
const [, times, pattern] = /^(\d+) (.*)$/.exec(dieAfter ?? "") ?? [];
const meant = pattern === undefined ? undefined : new RegExp(pattern);
let changes = 0;
let matching = 0;

const changing = [
  ...["fchmodSync", "futimesSync", "linkSync", "mkdirSync", "renameSync", "rmSync", "rmdirSync", "unlinkSync"],
  "openSync",
  "truncateSync",
] as const;
const all = fs as unknown as Record<string, (...args: unknown[]) => unknown>;
for (const name of changing) {
  const usual = all[name];
  if (usual === undefined) throw new Error(`no ${name}`);
  all[name] = (...args: unknown[]) => {
    if (name === "openSync" && args[1] !== "w") return usual(...args);
    if (String(changes++) === dieAt) process.kill(process.pid, "SIGKILL");
    const result = usual(...args);
    const isMeant = meant !== undefined && args.some((arg) => typeof arg === "string" && meant.test(arg));
    if (isMeant && ++matching === Number(times)) process.kill(process.pid, "SIGKILL");
    return result;
  };
}
syncBuiltinESMExports();
if (dieAt === "never") process.on("exit", () => process.stderr.write(`${String(changes)} changes\n`));
