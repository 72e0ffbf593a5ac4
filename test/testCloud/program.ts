import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { run, type Result, type RunOptions } from "../support/run.ts";

/** A small Pulumi program of a test, in a folder of its own. */
export class Program {
  private readonly folder = mkdtempSync(join(tmpdir(), "program-"));
  private readonly env: NodeJS.ProcessEnv;

  constructor(env: NodeJS.ProcessEnv) {
    this.env = env;
    symlinkSync(join(process.cwd(), "node_modules"), join(this.folder, "node_modules"));
    mkdirSync(join(this.folder, "state"));
    const project = "name: program\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n";
    writeFileSync(join(this.folder, "Pulumi.yaml"), project);
    writeFileSync(join(this.folder, "package.json"), '{ "main": "index.js" }');
  }

  /** @param source JavaScript, which has the SDKs as `pulumi`, `aws` and `digitalocean`. */
  write(source: string): void {
    const sdks = ["pulumi", "aws", "digitalocean"].filter((name) => source.includes(`${name}.`));
    const imports = sdks.map((name) => `const ${name} = require("@pulumi/${name}");\n`);
    writeFileSync(join(this.folder, "index.js"), imports.join("") + source);
  }

  /** `pulumi ARGS` on its stack, without questions. */
  pulumi(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    const own = {
      PULUMI_BACKEND_URL: `file://${this.folder}/state`,
      PULUMI_CONFIG_PASSPHRASE: "only for tests",
      PULUMI_ACCESS_TOKEN: "",
      PULUMI_SKIP_UPDATE_CHECK: "true",
    };
    return run("node_modules/.bin/pulumi", [...args, "--stack", "test", "--non-interactive"], {
      ...options,
      cwd: this.folder,
      env: { ...process.env, ...own, ...this.env },
    });
  }

  /** The same, for a command that must succeed; returns its output. */
  async succeed(...args: string[]): Promise<string> {
    const { code, output, stdout } = await this.pulumi(args);
    if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${String(code)}:\n${output}`);
    return stdout;
  }

  async outputs(): Promise<Record<string, unknown>> {
    return JSON.parse(await this.succeed("stack", "output", "--json", "--show-secrets")) as Record<string, unknown>;
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
