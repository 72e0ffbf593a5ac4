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

/** A setting of a stack by its name, as text: what the stack sets, or the default of Pulumi.yaml. Secrets stay hidden. */
export function settingsOf(stack: string): (name: string) => string {
  const config = pulumiJson(["config", "--json", "--stack", stack]) as Record<string, { value?: string }>;
  return (name) => config[`private-registry:${name}`]?.value ?? "";
}

/** What the program exports. */
export interface Outputs {
  readonly endpoint: string;
  readonly url: string;
  readonly anonymousEndpoint: string;
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
