// Prints the environment in which the `docker` client talks to the engine of a stack.
//   eval "$(tsx scripts/engine-env.ts STACK)"
// It sets besides: TARGET, as the settings have it; ENGINE: `local` for one that is reached without further ado, `machine`
// for one behind SSH by its pinned host key, `none` where the machine is not ready yet; MACHINE: where `ssh` signs in.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

import { pinnedOptions, writeKeyFile } from "../components/hosts/sshClient";
import { SettingsError } from "../problems";
import { parseConfiguration } from "../settings";
import type { HostSettings } from "../settings/host";
import { shellQuoted } from "../shell";
import { configurationOf, project, pulumiJson, stateOf, textOf } from "./pulumi";

const [stack = ""] = process.argv.slice(2);

// What is printed is eval'd: a failure is a command that fails.
process.once("exit", (code) => code !== 0 && console.log("false"));

const { settings, problems } = parseConfiguration(project, configurationOf(stack));
if (settings.host === undefined) {
  console.error(new SettingsError(stack, problems).message);
  process.exit(1);
}
for (const line of [set("TARGET", settings.host.target), ...environment(settings.host)]) console.log(line);

function environment(host: HostSettings): string[] {
  switch (host.target) {
    case "local": {
      const { host: address, certPath } = host.engine;
      const tls = ["export DOCKER_TLS_VERIFY=1", `export ${set("DOCKER_CERT_PATH", certPath ?? "")}`];
      return [...engineAt(address), set("ENGINE", "local"), set("MACHINE", ""), ...(certPath === undefined ? [] : tls)];
    }
    case "ssh":
      return machineAt(host.engine.host, host.engine.sshOptions, true);
    case "digitalocean":
    case "aws": {
      // Of the machine that is there: the outputs of a stack are those of the last run that ended well.
      const { resources } = stateOf(stack, pulumiJson(["stack", "export", "--show-secrets", "--stack", stack]));
      const current = resources.filter((resource) => !resource.delete && !resource.pendingReplacement);
      const known = current.find(({ type }) => type.endsWith(":HostKey"))?.outputs;
      if (known === undefined) return [set("ENGINE", "none"), set("MACHINE", "")];
      const text = (key: string) => textOf(known[key]);
      const options = pinnedOptions(text("hostKey"), resolve(writeKeyFile(stack, text("privateKey"))));
      const isReady = current.some(({ type }) => type.endsWith(":Prepared"));
      return machineAt(`ssh://${text("user")}@${text("address")}`, options, isReady);
    }
    default:
      return host satisfies never;
  }
}

function machineAt(address: string, options: readonly string[], isReady: boolean): string[] {
  const engine = isReady ? [...engineAt(address), set("ENGINE", "machine")] : [set("ENGINE", "none")];
  return [...engine, set("MACHINE", address), ...sshWith(options)];
}

function engineAt(address: string): string[] {
  return ["unset DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH", `export ${set("DOCKER_HOST", address)}`];
}

/** docker runs `ssh` without options of ours: the one in scripts/ssh takes them from this file. */
function sshWith(options: readonly string[]): string[] {
  const file = resolve(".state", "ssh", `${stack}.config`);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const lines = options.filter((word) => word !== "-o").map((option) => option.replace("=", " "));
  writeFileSync(file, `${lines.join("\n")}\n`);
  return [
    `export PATH=${shellQuoted(resolve("scripts/ssh"))}:"$PATH"`,
    `export ${set("PRIVATE_REGISTRY_SSH_CONFIG", file)}`,
  ];
}

function set(variable: string, value: string): string {
  return `${variable}=${shellQuoted(value)}`;
}
