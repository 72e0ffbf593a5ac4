import { type SpawnSyncReturns, spawnSync, type StdioOptions } from "node:child_process";

/**
 * The descriptor with which this process holds the lock of the folder (see bootstrap/with-lock), if it does. Node
 * closes inherited descriptors in its children, so a child that must hold the lock is passed this one under the same
 * number.
 */
const lock = process.env["PRIVATE_REGISTRY_LOCK"];

function holdingLock(first: readonly (number | "pipe" | "ignore" | "inherit")[]): StdioOptions {
  if (lock === undefined) return [...first];
  const descriptor = Number(lock);
  return [...first, ...Array<"ignore">(descriptor - first.length).fill("ignore"), descriptor];
}

/** The user pressed Ctrl-C: the program stops. */
export class Interrupted extends Error {}

let interrupted = false;
// The signal also reaches the children, and this process waits for them.
process.on("SIGINT", () => (interrupted = true));

export function isInterrupted(): boolean {
  return interrupted;
}

/** @throws Interrupted if the user pressed Ctrl-C. */
export function throwIfInterrupted(): void {
  if (interrupted) throw new Interrupted();
}

/** A command failed and has printed why. */
export class CommandFailed extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`a command ended with ${String(code)}`);
    this.code = code;
  }
}

/**
 * The standard output of a command. Its standard error goes to the terminal.
 *
 * @param encoding That of its input and output. Default: UTF-8.
 * @throws CommandFailed
 */
export function outputOf(
  command: string,
  args: readonly string[],
  input = "",
  encoding: BufferEncoding = "utf8",
): string {
  return checked(
    spawnSync(command, args, {
      encoding,
      input,
      stdio: holdingLock(["pipe", "pipe", "inherit"]),
      maxBuffer: 64 * 1024 * 1024,
    }),
  );
}

/**
 * Runs a command at the terminal.
 *
 * @throws CommandFailed
 */
export function run(command: string, args: readonly string[] = []): void {
  checked(spawnSync(command, args, { stdio: holdingLock(["inherit", "inherit", "inherit"]) }));
}

/** Runs a command and returns whether it succeeded. With `output` "ignore", nothing is shown at the terminal. */
export function succeeds(
  command: string,
  args: readonly string[] = [],
  output: "inherit" | "ignore" = "inherit",
): boolean {
  const { status, signal } = spawnSync(command, args, { stdio: holdingLock(["inherit", output, output]) });
  if (signal === "SIGINT") throw new Interrupted();
  return status === 0;
}

function checked<T>({ error, status, signal, stdout }: SpawnSyncReturns<T>): T {
  if (error) throw error;
  if (signal === "SIGINT") throw new Interrupted();
  if (status !== 0) throw new CommandFailed(status ?? 1);
  return stdout;
}
