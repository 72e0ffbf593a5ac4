import { spawn } from "node:child_process";

export interface Result {
  /** Null if a signal ended it. */
  readonly code: number | null;
  /** Its output, both streams as they came. */
  readonly output: string;
  readonly stdout: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** Called when the process has started; `group` ends it and everything that it started. */
  readonly onStart?: (group: number) => void;
  /** Called with the output so far, each time that it grows. */
  readonly onOutput?: (output: string) => void;
}

/** Runs a command in its own process group, to its end. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      detached: true,
      stdio: "pipe",
    });
    let output = "";
    let stdout = "";
    const printed = (chunk: Buffer) => {
      output += chunk.toString();
      options.onOutput?.(output);
    };
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
      printed(chunk);
    });
    child.stderr.on("data", printed);
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output, stdout }));
    child.stdin.on("error", () => undefined); // A command may end before it has read all.
    child.stdin.end(options.input ?? "");
    if (child.pid !== undefined) options.onStart?.(child.pid);
  });
}

/** The same, for a command that must succeed; returns its standard output. */
export async function succeed(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, output, stdout } = await run(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${String(code)}:\n${output}`);
  return stdout;
}

/** The IPv4 address of a container on a network. */
export function addressOf(container: string, network: string): Promise<string> {
  return docker("inspect", "--format", `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, container);
}

/** Docker's own client, on the engine of the environment. */
export async function docker(...args: string[]): Promise<string> {
  return (await succeed("docker", args)).trim();
}

/** Sends a signal to a process group, as a key on a terminal or the kernel would, unless it has ended. */
export function stop(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
