import { type SpawnSyncReturns, spawnSync, type StdioOptions } from "node:child_process";

/**
 * The descriptor by which this process holds the lock of the folder (see bootstrap/with-lock), if it holds it. Node closes
 * what it inherits when it starts something: what is to go on holding the lock is given it by the same number.
 */
const lock = process.env["PRIVATE_REGISTRY_LOCK"];

function holdingLock(first: readonly (number | "pipe" | "ignore" | "inherit")[]): StdioOptions {
  if (lock === undefined) return [...first];
  const descriptor = Number(lock);
  return [...first, ...Array<"ignore">(descriptor - first.length).fill("ignore"), descriptor];
}

/** Somebody pressed Ctrl-C: nothing goes on from there. */
export class Interrupted extends Error {}

let interrupted = false;
// It reaches what runs below as well, which this process waits for.
process.on("SIGINT", () => (interrupted = true));

export function isInterrupted(): boolean {
  return interrupted;
}

/** @throws Interrupted where somebody pressed Ctrl-C. */
export function throwIfInterrupted(): void {
  if (interrupted) throw new Interrupted();
}

/** A command ended with something else than 0, and has said why itself. */
export class CommandFailed extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`a command ended with ${String(code)}`);
    this.code = code;
  }
}

/**
 * What a command prints. What it says on stderr goes on to the terminal.
 *
 * @throws CommandFailed
 */
export function outputOf(command: string, args: readonly string[], input = ""): string {
  return checked(
    spawnSync(command, args, {
      encoding: "utf8",
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

/** The same; gives whether it ended well. Where nobody needs to know why not, `output` keeps it off the terminal. */
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
