import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import type { Faults } from "./faults.ts";
import type { Provider } from "./kinds.ts";
import { PluginServer } from "./protocol.ts";

/**
 * The plugins as Pulumi finds them: a PULUMI_HOME for tests, with the user's own tools and, in place of the
 * clouds' plugins, a script. Each time the engine starts that, it gets a gRPC server of this process, so that all runs
 * see one cloud, which goes on when a run is killed.
 */
export class Plugins {
  readonly home: string;
  private readonly started: PluginServer[] = [];
  private readonly server: Server;
  private readonly providers: Readonly<Record<string, Provider>>;
  private readonly faults: Faults;

  constructor(folder: string, providers: Readonly<Record<string, Provider>>, faults: Faults) {
    this.providers = providers;
    this.faults = faults;
    this.home = join(folder, "pulumi");
    this.server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost");
      void text(request)
        .then((env) => this.startPlugin(pathname.slice(1), env, Number(searchParams.get("pid"))))
        .then((port) => response.end(`${String(port)}\n`));
    });
  }

  async start(): Promise<void> {
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    this.makeHome();
  }

  stop(): void {
    for (const plugin of this.started) plugin.stop();
    this.server.close();
    this.server.closeAllConnections();
  }

  private makeHome(): void {
    const { PULUMI_HOME: own = join(homedir(), ".pulumi") } = process.env;
    mkdirSync(join(this.home, "plugins"), { recursive: true });
    symlinkSync(join(own, "versions"), join(this.home, "versions"));
    const names = Object.keys(this.providers);
    for (const plugin of existsSync(join(own, "plugins")) ? readdirSync(join(own, "plugins")) : []) {
      if (names.some((name) => plugin.startsWith(`resource-${name}-`))) continue;
      // Pulumi doesn't follow a link to a folder of a plugin, but one to the program in it.
      const [from, to] = [own, this.home].map((home) => join(home, "plugins", plugin)) as [string, string];
      if (!statSync(from).isDirectory()) continue;
      mkdirSync(to);
      for (const file of readdirSync(from)) symlinkSync(join(from, file), join(to, file));
    }
    for (const name of names) {
      const plugin = join(this.home, "plugins", `resource-${name}-v${versionOf(name)}`);
      mkdirSync(plugin);
      writeFileSync(join(plugin, `pulumi-resource-${name}`), this.script(name), { mode: 0o755 });
    }
  }

  /** It lives for as long as the engine holds its standard input. */
  private script(name: string): string {
    const { port } = this.server.address() as AddressInfo;
    return `#!/bin/sh
# Stands for a plugin: hands its credentials to the cloud for tests, and tells the engine where that answers.
env | grep -E '^(DIGITALOCEAN|AWS)_' | curl -sS --data-binary @- "http://127.0.0.1:${String(port)}/${name}?pid=$$"
exec cat >/dev/null
`;
  }

  private startPlugin(name: string, lines: string, pid: number): Promise<number> {
    const provider = this.providers[name];
    if (provider === undefined) throw new Error(`the cloud for tests has no plugin ${name}`);
    const env = new Map(lines.split("\n").map((line) => [line.replace(/=.*/, ""), line.replace(/^[^=]*=/, "")]));
    const plugin = new PluginServer(provider, versionOf(name), env, this.faults, () => {
      plugin.stop();
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // The engine has ended it.
      }
    });
    this.started.push(plugin);
    return plugin.listen();
  }
}

/** The version of the plugin that goes with the SDK. */
function versionOf(name: string): string {
  const sdk = JSON.parse(readFileSync(`node_modules/@pulumi/${name}/package.json`, "utf8")) as { version: string };
  return sdk.version;
}
