import { messageOf } from "../components/userError.ts";
import { run, type RunOptions, succeed } from "../test/support/run.ts";

let interrupted = false;
let group: number | undefined;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    if (!interrupted) say("stopping and cleaning up…");
    interrupted = true;
    try {
      if (group !== undefined) process.kill(-group, "SIGTERM");
    } catch {
      // It has just exited.
    }
  });
}

/** Runs `task`. Ctrl-C stops its current command; then no other is started, and its clean-up runs. */
export async function interruptible<T>(task: (options: RunOptions) => Promise<T>): Promise<T> {
  try {
    refuseWhenInterrupted();
    return await task({ onStart: (started) => (group = started) });
  } finally {
    group = undefined;
    // The error of a stopped command doesn't matter.
    refuseWhenInterrupted();
  }
}

function refuseWhenInterrupted(): void {
  if (interrupted) throw new Error("interrupted");
}

/** Runs a command that must succeed. Returns its standard output. */
export function command(name: string, args: readonly string[], input = ""): Promise<string> {
  return interruptible((options) => succeed(name, args, { ...options, input }));
}

/** Docker's own client. */
export async function docker(...args: string[]): Promise<string> {
  return (await command("docker", args)).trim();
}

/** Removes containers, if they exist, even after Ctrl-C. */
export async function removeContainers(names: readonly string[]): Promise<void> {
  if (names.length > 0) await run("docker", ["rm", "--force", "--volumes", ...names]);
}

/** Runs a benchmark program to its end. */
export function finish(program: Promise<void>): void {
  void program.then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(`✗ ${messageOf(error)}`);
      process.exit(1);
    },
  );
}

export function say(text: string): void {
  process.stderr.write(`▸ ${text}\n`);
}
