import { execFileSync } from "node:child_process";

import type { RawSettings } from "../settings";

/** Runs `pulumi ARGS` and reads what it prints as JSON. What it says on stderr goes on to the terminal. */
export function pulumiJson(args: string[]): unknown {
  const output = execFileSync("pulumi", ["--non-interactive", ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(output);
}

/** The settings of a stack, as text: what the stack sets, or the default of Pulumi.yaml. Secrets stay hidden. */
export function settingsOf(stack: string): RawSettings {
  const config = pulumiJson(["config", "--json", "--stack", stack]) as Record<string, { value?: string }>;
  const prefix = "private-registry:";
  const own = Object.entries(config).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(own.map(([key, { value = "" }]) => [key.slice(prefix.length), value]));
}

/** A resource as the state has it. */
export interface Resource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** What the state knows, and what was under way when it was last written. */
export interface State {
  readonly resources: readonly Resource[];
  readonly pending: readonly { readonly type: "creating" | "updating" | "deleting"; readonly resource: Resource }[];
}

export function stateOf(stack: string): State {
  const { deployment } = pulumiJson(["stack", "export", "--stack", stack]) as {
    deployment?: { resources?: State["resources"]; pending_operations?: State["pending"] };
  };
  return { resources: deployment?.resources ?? [], pending: deployment?.pending_operations ?? [] };
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
  readonly address: string;
  readonly records: string[];
  /** Null where the machine is the user's own; not there before the first `up`. */
  readonly login?: MachineLogin | null;
}

/** How one signs in to the machine that a stack made. */
export interface MachineLogin {
  readonly address: string;
  readonly user: string;
  readonly hostKey: string;
  readonly privateKey: string;
}

/** The outputs of a stack, secrets in clear: for this process only. */
export function outputsOf(stack: string): Outputs {
  return pulumiJson(["stack", "output", "--json", "--show-secrets", "--stack", stack]) as Outputs;
}
