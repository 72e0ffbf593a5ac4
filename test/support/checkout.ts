import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { parse, stringify } from "yaml";

import type { Outputs } from "../../scripts/pulumi";
import { shellQuoted } from "../../shell";
import { docker, run, type Result, type RunOptions, succeed } from "./run";

/**
 * A checkout of this project as a user would have it, in a folder of its own, with a state, a stack name and a port of
 * its own: a live registry on the same machine is neither disturbed nor in the way.
 */
export class Checkout {
  readonly folder = mkdtempSync(join(tmpdir(), "private-registry-"));
  /** What the names of its containers, networks and volumes begin with. */
  readonly name: string;
  readonly stackFile: string;

  /** @param wrapper A command that every other one is run by, for another network namespace. */
  constructor(
    readonly env: NodeJS.ProcessEnv = {},
    private readonly wrapper: readonly string[] = [],
    readonly stack = `t${randomBytes(4).toString("hex")}`,
  ) {
    this.name = `private-registry-${stack}`;
    this.stackFile = `Pulumi.${stack}.yaml`;
    const files = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
      encoding: "utf8",
    });
    for (const file of files.split("\0").filter((path) => path !== "" && existsSync(path))) {
      cpSync(file, join(this.folder, file), { preserveTimestamps: true });
    }
    // Older than what is installed, or `make` would install anew, through the link, what others are using.
    utimesSync(join(this.folder, "package-lock.json"), 0, 0);
    symlinkSync(join(process.cwd(), "node_modules"), join(this.folder, "node_modules"));
    execFileSync("git", ["init", "--quiet", this.folder]);
  }

  private options(more: RunOptions): RunOptions {
    // A backend that the user is logged in to stays out of it. Types were checked before the tests, and one test has each
    // run check them again, as a user's does.
    const own = {
      PULUMI_BACKEND_URL: `file://${this.folder}/.state`,
      PULUMI_ACCESS_TOKEN: "",
      PULUMI_NODEJS_TRANSPILE_ONLY: "true",
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

  /** The same, which must succeed, and means it where it is asked whether to delete; gives what it says. */
  async makes(target: string, more: RunOptions = {}): Promise<string> {
    const { code, output } = await this.make(target, { ...more, env: { CONFIRM: this.stack, ...more.env } });
    assert.equal(code, 0, output);
    return output;
  }

  /** What a person would type in a shell prepared with `eval "$(make -s env)"`. */
  shell(script: string, more: RunOptions = {}): Promise<Result> {
    return this.run("bash", ["-euc", `eval "$(make -s env)"\n${script}`], more);
  }

  pulumi(...args: string[]): Promise<Result> {
    return this.shell(`pulumi ${args.map(shellQuoted).join(" ")} --stack ${this.stack} --non-interactive`);
  }

  /** Makes the stack, on a free port, with settings. */
  async configure(settings: Record<string, unknown> = {}): Promise<void> {
    this.set({ port: await freePort(), ...settings });
    await this.succeed("scripts/stack", [this.stack]);
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

  /** What is there of this stack: containers, networks, volumes. */
  async remains(): Promise<string[]> {
    const lists = [
      ["ps", "--all", "--format", "{{.Names}}"],
      ["network", "ls", "--format", "{{.Name}}"],
      ["volume", "ls", "--format", "{{.Name}}"],
    ];
    const names = await Promise.all(lists.map((list) => docker(...list, "--filter", `name=${this.name}`)));
    return names.flatMap((text) => text.split("\n").filter((name) => name !== "")).sort();
  }

  /** Takes down what is left of the stack, whatever state a failed test left it in, and forgets the folder. */
  async dispose(): Promise<void> {
    await this.make("purge", { env: { CONFIRM: this.stack } });
    const left = await this.remains();
    if (left.length > 0) {
      await run("docker", ["rm", "--force", "--volumes", ...left]);
      await run("docker", ["network", "rm", ...left]);
      await run("docker", ["volume", "rm", "--force", ...left]);
    }
    this.endLeftovers();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** What a killed run started and nobody ended: it is known by the state that its environment names. */
  private endLeftovers(): void {
    if (!existsSync("/proc/self/environ")) return;
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        const mine = readFileSync(join("/proc", pid, "environ"), "utf8").includes(`file://${this.folder}/.state`);
        if (mine) process.kill(Number(pid), "SIGKILL");
      } catch {
        // It has ended, or isn't ours.
      }
    }
  }
}

/** A TCP port of loopback that nothing listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
