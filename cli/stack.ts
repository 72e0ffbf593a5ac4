import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";

import { PulumiCommand, StackNotFoundError } from "@pulumi/pulumi/automation/index.js";

import type { Outputs } from "../components/outputs.ts";
import { messageOf, UserError } from "../components/userError.ts";
import type { Configuration } from "../settings/configuration.ts";
import type { HostSettings } from "../settings/host.ts";
import { parseConfiguration } from "../settings/index.ts";
import { SettingsError } from "../settings/problems.ts";
import { Display } from "./display.ts";
import { Drain } from "./drain.ts";
import { project, pulumiEnvironment, setVariables } from "./environment.ts";
import { CommandFailed, isInterrupted, throwIfInterrupted } from "./processes.ts";
import { hideSalt } from "./salt.ts";
import { type Exported, type State, stateOf } from "./state.ts";

/**
 * The automation API's function to run the CLI without prompts; the API's types don't expose it. The API's own `up` and
 * `destroy` would read outputs and history after each run, which starts the CLI three more times.
 */
interface Cli {
  run(
    args: string[],
    folder: string,
    variables: Record<string, string>,
    onOutput?: (text: string) => void,
    onError?: (text: string) => void,
    /** On abort, the CLI is sent the signal of Ctrl-C. */
    stopping?: AbortSignal,
  ): Promise<{ readonly stdout: string }>;
}

/** A stack of this project. Its configuration and its state are read once and then reused. */
export class Stack {
  private configured: Promise<Configuration> | undefined;
  private known: Promise<State> | undefined;

  /** `dev1` */
  readonly name: string;
  private readonly cli: Cli;
  private readonly folder: string;

  private constructor(name: string, cli: Cli, folder: string) {
    this.name = name;
    this.cli = cli;
    this.folder = folder;
  }

  /** A stack of this folder, whether it exists or not. Sets the environment of this process for it. */
  static async of(name: string): Promise<Stack> {
    const folder = process.cwd();
    setVariables(pulumiEnvironment(folder));
    const cli: unknown = await PulumiCommand.get({ skipVersionCheck: true });
    return new Stack(name, cli as Cli, folder);
  }

  /** The prefix of the names of its containers, networks and volumes. */
  get fullName(): string {
    return `${project}-${this.name}`;
  }

  /** The file that marks an `up` of this folder that began and did not succeed. */
  get unfinished(): string {
    return join(".state", `${this.name}.unfinished`);
  }

  /** Creates the stack if it doesn't exist. */
  async init(): Promise<void> {
    try {
      await this.state();
    } catch (error) {
      if (!(error instanceof NoSuchStack)) throw error;
      console.error(`▸ Creating stack ${this.name}`);
      await this.pulumi(["stack", "init", this.name]);
      this.forgetState();
    }
    hideSalt(this.name);
  }

  /** Its configuration as text, with the defaults of Pulumi.yaml. Secrets are in clear text: for this process only. */
  configuration(): Promise<Configuration> {
    return (this.configured ??= this.pulumi([...this.about("config"), "--json", "--show-secrets"]).then((printed) => {
      const values = Object.entries(JSON.parse(printed) as Record<string, { readonly value?: string }>);
      return Object.fromEntries(values.map(([key, { value = "" }]) => [key, value]));
    }));
  }

  /** The host in its settings, even if other settings are wrong. */
  async host(): Promise<HostSettings> {
    const { settings, problems } = parseConfiguration(project, await this.configuration());
    if (settings.host === undefined) throw new SettingsError(this.name, problems);
    return settings.host;
  }

  /** Its state, with secrets in clear text: for this process only. */
  state(): Promise<State> {
    return (this.known ??= this.pulumi([...this.about("stack", "export"), "--show-secrets"]).then((printed) =>
      stateOf(JSON.parse(printed) as Exported),
    ));
  }

  /** Makes the next caller of `state` read it again. */
  forgetState(): void {
    this.known = undefined;
  }

  /** Its outputs, if it is up. */
  async outputs(): Promise<Outputs> {
    const { outputs, resources } = await this.state();
    // While a data volume is kept, the outputs stay, too.
    const isMachineGone = Boolean(outputs.login) && !resources.some(({ type }) => type.endsWith(":HostKey"));
    if (outputs.endpoint === undefined || isMachineGone) {
      throw new UserError(`The stack ${this.name} is not up. To bring it up: make up STACK=${this.name}`);
    }
    return outputs as Outputs;
  }

  /** The state as it is stored, with its secrets encrypted. */
  async exported(): Promise<Exported> {
    return JSON.parse(await this.pulumi(this.about("stack", "export"))) as Exported;
  }

  async import(exported: Exported): Promise<void> {
    const folder = mkdtempSync(join(".state", "import-"));
    try {
      const file = join(folder, "state.json");
      writeFileSync(file, JSON.stringify(exported), { mode: 0o600 });
      await this.pulumi([...this.about("stack", "import"), "--file", file]);
    } finally {
      rmSync(folder, { recursive: true });
    }
    this.forgetState();
  }

  /**
   * The output of `pulumi ARGS`.
   *
   * @throws UserError with Pulumi's message, NoSuchStack
   */
  async pulumi(args: readonly string[]): Promise<string> {
    try {
      return (await this.cli.run([...args], this.folder, {})).stdout;
    } catch (error) {
      throwIfInterrupted();
      if (error instanceof StackNotFoundError) throw new NoSuchStack(this.name);
      throw new UserError(saidBy(error));
    }
  }

  /**
   * Runs `pulumi ARGS` and shows its output as it comes.
   *
   * @param onOutput Gets it, too.
   * @throws CommandFailed
   */
  show(args: readonly string[], onOutput: (text: string) => void = () => undefined): Promise<void> {
    const color = process.stdout.isTTY ? ["--color", "always"] : [];
    return this.follow(
      [...args, ...color],
      (text) => {
        process.stdout.write(text);
        onOutput(text);
      },
      (text) => void process.stderr.write(text),
    );
  }

  /**
   * Runs `pulumi ARGS`, which changes something, and shows finished and running steps.
   *
   * @throws CommandFailed
   */
  async change(args: readonly string[], out: NodeJS.WriteStream = process.stdout): Promise<void> {
    const drain = new Drain((text) => display.say(text, process.stderr));
    const display = new Display(out, (event) => drain.take(event));
    try {
      await this.follow(
        [...args, "--json"],
        (text) => display.take(text),
        (text) => display.say(text, process.stderr),
      );
    } finally {
      drain.end();
      display.end();
    }
  }

  private async follow(
    args: readonly string[],
    onOutput: (text: string) => void,
    onError: (text: string) => void,
  ): Promise<void> {
    await nextTurn();
    throwIfInterrupted();
    const stopping = new AbortController();
    // A Ctrl-C that came before Pulumi had started did not reach it.
    void nextTurn().then(() => isInterrupted() && stopping.abort());
    try {
      await this.cli.run([...args], this.folder, {}, onOutput, onError, stopping.signal);
    } catch {
      throwIfInterrupted();
      throw new CommandFailed(1);
    }
    throwIfInterrupted();
  }

  /** A Pulumi command for this stack. */
  about(...command: readonly string[]): string[] {
    return [...command, "--stack", this.name];
  }
}

/** No stack of this name exists. */
export class NoSuchStack extends UserError {
  constructor(name: string) {
    super(`There is no stack ${name}. To create it: make up STACK=${name}`);
  }
}

/** Pulumi's error message, without what the API adds. */
function saidBy(error: unknown): string {
  const message = messageOf(error);
  const [, said = message] = /Command failed with exit code[^\n]*\n([^]*)/.exec(message) ?? [];
  return said.trim();
}
