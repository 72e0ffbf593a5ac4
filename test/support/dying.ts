// Loaded before a program: kills it at a change that it makes to files, as if the machine's power failed there.
//   DIE_AT=17 node --import ./test/support/dying.ts …       before the 18th change
// Without DIE_AT, it prints the number of changes at the end.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const last = Number(process.env["DIE_AT"] ?? Infinity);
let changes = 0;

const changing = [
  ...["fchmodSync", "futimesSync", "linkSync", "mkdirSync", "renameSync", "rmSync", "rmdirSync", "unlinkSync"],
  "openSync",
] as const;
const all = fs as unknown as Record<string, (...args: unknown[]) => unknown>;
for (const name of changing) {
  const usual = all[name];
  if (usual === undefined) throw new Error(`no ${name}`);
  all[name] = (...args: unknown[]) => {
    const isChange = name !== "openSync" || args[1] === "w";
    if (isChange && changes++ === last) process.kill(process.pid, "SIGKILL");
    return usual(...args);
  };
}
syncBuiltinESMExports();
if (last === Infinity) process.on("exit", () => process.stderr.write(`${String(changes)} changes\n`));
