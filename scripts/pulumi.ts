import { spawnSync } from "node:child_process";

import type { Configuration } from "../settings/configuration";

/** What a command prints. What it says on stderr goes on to the terminal; where it fails, this process ends, too. */
export function outputOf(command: string, args: readonly string[], input = ""): string {
  const { error, status, stdout } = spawnSync(command, args, {
    encoding: "utf8",
    input,
    stdio: ["pipe", "pipe", "inherit"],
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
  return stdout;
}

/** What `pulumi ARGS` prints as JSON. */
export function pulumiJson(args: readonly string[]): unknown {
  return JSON.parse(outputOf("pulumi", ["--non-interactive", ...args]));
}

export const project = "private-registry";

/** What a stack configures, as text: what it sets, or the default of Pulumi.yaml. Secrets in clear: for this process only. */
export function configurationOf(stack: string): Configuration {
  const config = pulumiJson(["config", "--json", "--show-secrets", "--stack", stack]);
  const values = Object.entries(config as Record<string, { value?: string }>);
  return Object.fromEntries(values.map(([key, { value = "" }]) => [key, value]));
}

/** A resource as the state has it. */
export interface Resource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  readonly protect?: boolean;
  /** Something that another one has taken the place of, and that is only still to be deleted. */
  readonly delete?: boolean;
  /** Something that is gone, and that another one is still to take the place of. */
  readonly pendingReplacement?: boolean;
}

/** The state as Pulumi writes it: what it knows, and what was under way then. */
export interface Deployment {
  readonly resources?: readonly Resource[];
  readonly pending_operations?: readonly Pending[];
}

export interface Pending {
  readonly type: "creating" | "updating" | "deleting";
  readonly resource: Resource;
}

/** @param exported As `pulumi stack export` prints it. Default: what it prints now. */
export function stateOf(stack: string, exported = pulumiJson(["stack", "export", "--stack", stack])) {
  const { deployment = {} } = exported as { deployment?: Deployment };
  const { resources = [], pending_operations: pending = [] } = deployment;
  return { resources, pending };
}

export function importState(stack: string, exported: unknown): void {
  outputOf("pulumi", ["stack", "import", "--stack", stack], JSON.stringify(exported));
}

/** An output that is a text, secret or not. */
export function textOf(output: unknown): string {
  const secret = output as { readonly plaintext?: string } | undefined;
  return String(secret?.plaintext === undefined ? output : JSON.parse(secret.plaintext));
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
