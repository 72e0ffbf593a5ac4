import { execFileSync } from "node:child_process";

/** Runs `pulumi ARGS` and reads what it prints as JSON. What it says on stderr goes on to the terminal. */
export function pulumiJson(args: string[]): unknown {
  const output = execFileSync("pulumi", ["--non-interactive", ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(output);
}

/** What the program exports. */
export interface Outputs {
  readonly endpoint: string;
  readonly url: string;
  readonly usernames: string[];
  readonly passwords: Record<string, string>;
  readonly caCertificate: string;
  readonly caFingerprint: string;
  readonly loginCommand: string;
  readonly checkCommand: string;
}

/** The outputs of a stack, secrets in clear: for this process only. */
export function outputsOf(stack: string): Outputs {
  return pulumiJson(["stack", "output", "--json", "--show-secrets", "--stack", stack]) as Outputs;
}
