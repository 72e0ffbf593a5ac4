import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { parse, stringify } from "yaml";

import { shellQuoted } from "../../components/commands.ts";
import { ownerLabel, type Role, roleLabel } from "../../components/labels.ts";
import type { Outputs } from "../../components/outputs.ts";
import { Remains } from "./remains.ts";
import { run, type Result, type RunOptions, succeed } from "./run.ts";

/**
 * A checkout of this project as a user would have it, with its own folder, state, stack name and
 * port, so that it can run beside a live registry on the same machine.
 */
export class Checkout {
  readonly folder = mkdtempSync(join(tmpdir(), "private-registry-"));
  /** What the names of its containers, networks and volumes begin with. */
  readonly name: string;
  readonly stackFile: string;
  private readonly left: Remains;
  readonly env: NodeJS.ProcessEnv;
  private readonly wrapper: readonly string[];
  readonly stack: string;

  /** @param wrapper A command that runs every other one, for another network namespace. */
  constructor(
    env: NodeJS.ProcessEnv = {},
    wrapper: readonly string[] = [],
    stack = `t${randomBytes(4).toString("hex")}`,
  ) {
    this.env = env;
    this.wrapper = wrapper;
    this.stack = stack;
    this.name = `private-registry-${stack}`;
    this.stackFile = `Pulumi.${stack}.yaml`;
    this.left = new Remains(this.folder, stack);
    this.left.sign();
    const files = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
      encoding: "utf8",
    });
    for (const file of files.split("\0").filter((path) => path !== "" && existsSync(path))) {
      cpSync(file, join(this.folder, file), { preserveTimestamps: true });
    }
    // Older than the installed packages, or `make` would reinstall, through the link, what others are using.
    utimesSync(join(this.folder, "package-lock.json"), 0, 0);
    symlinkSync(join(process.cwd(), "node_modules"), join(this.folder, "node_modules"));
    execFileSync("git", ["init", "--quiet", this.folder]);
  }

  private options(more: RunOptions): RunOptions {
    // The user's own backend is not used. The plugins are installed: Pulumi would look for those of
    // clouds that no stack here names.
    const own = {
      PULUMI_BACKEND_URL: `file://${this.folder}/.state`,
      PULUMI_ACCESS_TOKEN: "",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    };
    return { cwd: this.folder, ...more, env: { ...process.env, ...own, ...this.env, ...more.env } };
  }

  run(command: string, args: readonly string[], more: RunOptions = {}): Promise<Result> {
    const [first = command, ...rest] = [...this.wrapper, command, ...args];
    return run(first, rest, this.options(more));
  }

  /** `make TARGET` for this stack. */
  make(target: string, more: RunOptions = {}): Promise<Result> {
    return this.run("make", ["--no-print-directory", target, `STACK=${this.stack}`], more);
  }

  /** The same, which must succeed, and confirms a deletion if asked; returns its output. */
  async makes(target: string, more: RunOptions = {}): Promise<string> {
    const { code, output } = await this.make(target, { ...more, env: { CONFIRM: this.stack, ...more.env } });
    assert.equal(code, 0, output);
    return output;
  }

  /** `make TARGET`, with an action when it has printed something; `group` ends it and everything that it started. */
  makeUntil(target: string, printed: RegExp, act: (group: number) => void): Promise<Result> {
    let group = 0;
    let seen = false;
    return this.make(target, {
      onStart: (started) => (group = started),
      onOutput: (output) => {
        if (seen || !printed.test(output)) return;
        seen = true;
        act(group);
      },
    });
  }

  /** What a person would type in a shell prepared with `eval "$(make -s env)"`. */
  shell(script: string, more: RunOptions = {}): Promise<Result> {
    return this.run("bash", ["-euc", `eval "$(make -s env)"\n${script}`], more);
  }

  pulumi(...args: string[]): Promise<Result> {
    return this.shell(`pulumi ${args.map(shellQuoted).join(" ")} --stack ${this.stack} --non-interactive`);
  }

  /** Plain `pulumi up`, which must succeed, for tests of a running stack: that `make up` works is a separate claim. */
  async bringUp(): Promise<Outputs> {
    const { code, output } = await this.pulumi("up", "--yes", "--skip-preview");
    assert.equal(code, 0, output);
    return this.outputs();
  }

  /** Creates the stack, on a free port, with settings. */
  async configure(settings: Record<string, unknown> = {}): Promise<void> {
    this.set({ port: await freePort(), ...settings });
    await this.succeed("node", ["cli/main.ts", "init", this.stack]);
  }

  /** Writes settings into the stack file, as a person would with an editor. */
  set(settings: Record<string, unknown>): void {
    const path = join(this.folder, this.stackFile);
    const file = (existsSync(path) ? parse(readFileSync(path, "utf8")) : {}) as { config?: Record<string, unknown> };
    const own = Object.entries(settings).map(([key, value]) => [`private-registry:${key}`, value] as const);
    writeFileSync(path, stringify({ ...file, config: { ...file.config, ...Object.fromEntries(own) } }));
  }

  async setSecret(path: string, value: string): Promise<void> {
    const key = shellQuoted(`private-registry:${path}`);
    const { code, output } = await this.shell(`pulumi config set --stack ${this.stack} --path --secret ${key}`, {
      input: value,
    });
    if (code !== 0) throw new Error(output);
  }

  async outputs(): Promise<Outputs> {
    const { stdout } = await this.pulumi("stack", "output", "--json", "--show-secrets");
    return JSON.parse(stdout) as Outputs;
  }

  async succeed(command: string, args: readonly string[]): Promise<string> {
    const [first = command, ...rest] = [...this.wrapper, command, ...args];
    return succeed(first, rest, this.options({}));
  }

  read(file: string): string {
    return readFileSync(join(this.folder, file), "utf8");
  }

  /** Docker's own client on the engine that has the stack; returns what it printed. */
  async docker(args: readonly string[], input = ""): Promise<string> {
    return (await succeed("docker", args, { input })).trim();
  }

  /** The ids of its containers in this role. */
  async containers(role: Role): Promise<string[]> {
    const labels = [`${ownerLabel}=${this.name}`, `${roleLabel}=${role}`].flatMap((each) => [
      "--filter",
      `label=${each}`,
    ]);
    const listed = await this.docker(["ps", "--all", "--no-trunc", "--quiet", ...labels]);
    return listed.split("\n").filter((id) => id !== "");
  }

  /** One of its registry containers: all have the same data. */
  async registry(): Promise<string> {
    const [id] = await this.containers("registry");
    assert.ok(id !== undefined, "the registry has no container");
    return id;
  }

  /** This stack's containers, networks and volumes. */
  async remains(): Promise<string[]> {
    const { left } = this;
    return (await Promise.all([left.containers(), left.networks(), left.volumes()])).flat().sort();
  }

  /** Removes the rest of the stack, whatever state a failed test left it in, and the folder. */
  dispose(): Promise<void> {
    return this.left.remove();
  }

  /** Removes only the folder, if another checkout has the stack. */
  forget(): void {
    this.left.forget();
  }
}

/** The ports that tests may use, below the kernel's ephemeral ports. Each lane of test/run.ts has its own. */
const [firstPort = 0, lastPort = 0] = (process.env["TEST_PORTS"] ?? "20000-31999").split("-").map(Number);
// A random start, as somebody may run two tests at once by hand.
let nextPort = randomInt(firstPort, lastPort + 1);

/** A free TCP port of loopback, another one each time. */
export async function freePort(): Promise<number> {
  for (let tries = firstPort; tries <= lastPort; tries++) {
    const port = nextPort;
    nextPort = port === lastPort ? firstPort : port + 1;
    if (await isFree(port)) return port;
  }
  throw new Error(`all ports from ${String(firstPort)} to ${String(lastPort)} are taken`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "0.0.0.0", () => server.close(() => resolve(true)));
  });
}
