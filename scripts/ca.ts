// Writes the authority that clients of a stack must trust into a file, whole or not at all: tsx scripts/ca.ts STACK
// FILE in the environment names it. Default: ca.crt.
import { lstatSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

import { messageOf } from "../problems";
import { liveOutputsOf } from "./live";

const [stack = ""] = process.argv.slice(2);
const { caCertificate, caFingerprint } = liveOutputsOf(stack);
const file = resolve(process.env["FILE"] ?? "ca.crt");

if (caCertificate === "") {
  console.error(`Clients trust the certificate of stack ${stack} already: there is no authority to give them.`);
  process.exitCode = 1;
} else {
  try {
    writeWhole(file, caCertificate);
    console.log(`${file}\nSHA-256 ${caFingerprint}`);
  } catch (error) {
    console.error(`The authority could not be written: ${messageOf(error)}`);
    process.exitCode = 1;
  }
}

function writeWhole(path: string, text: string): void {
  // In the place of a device or a link it would be a file from now on.
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false) throw new Error(`${path} is not a plain file`);
  const staged = `${path}.${String(process.pid)}`;
  try {
    writeFileSync(staged, text, { mode: 0o644, flag: "wx" });
    renameSync(staged, path);
  } catch (error) {
    rmSync(staged, { force: true });
    throw error;
  }
}
