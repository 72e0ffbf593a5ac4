import { lstatSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

import { messageOf, UserError } from "../components/userError.ts";
import type { Stack } from "./stack.ts";

/**
 * Writes the authority that clients of a stack must trust to a file, completely or not at all.
 *
 * @returns The message for the user: the file, and the fingerprint to compare.
 */
export async function writeAuthority(stack: Pick<Stack, "name" | "outputs">, path: string): Promise<string> {
  const { caCertificate, caFingerprint } = await stack.outputs();
  if (caCertificate === "") {
    throw new UserError(
      `Clients already trust the certificate of stack ${stack.name}: it has no authority of its own.`,
    );
  }
  const file = resolve(path);
  try {
    writeWhole(file, caCertificate);
  } catch (error) {
    throw new UserError(`The authority could not be written: ${messageOf(error)}`);
  }
  return `${file}\nSHA-256 ${caFingerprint}`;
}

function writeWhole(path: string, text: string): void {
  // The rename would replace a device or a link by a plain file.
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
