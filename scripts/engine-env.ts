// Prints the environment in which the `docker` client talks to the engine of a stack.
//   eval "$(tsx scripts/engine-env.ts STACK)"
// It sets TARGET besides, as the settings have it, and ENGINE: `local` for one that is reached without further ado,
// `machine` for one behind SSH by its pinned host key, `none` where the machine is not made yet.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

import { pinnedOptions, writeKeyFile } from "../components/hosts/sshClient";
import { parseSettings } from "../settings";
import type { HostSettings } from "../settings/host";
import { outputsOf, stateOf, settingsOf } from "./pulumi";

const [stack = ""] = process.argv.slice(2);

const { settings, problems } = parseSettings(settingsOf(stack));
if (settings.host === undefined) {
  for (const { setting, wrong, cure } of problems) console.error(`${setting}: ${wrong}.\n    ${cure}`);
  console.log("false"); // What is printed is eval'd: a failure is a command that fails.
  process.exitCode = 1;
} else {
  for (const line of [`TARGET=${settings.host.target}`, ...environment(settings.host)]) console.log(line);
}

function environment(host: HostSettings): string[] {
  switch (host.target) {
    case "local": {
      const { host: address, certPath } = host.engine;
      const tls = `export DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH='${certPath ?? ""}'`;
      return [...engineAt(address, "local"), ...(certPath === undefined ? [] : [tls])];
    }
    case "ssh":
      return [...engineAt(host.engine.host, "machine"), ...sshWith(host.engine.sshOptions)];
    case "digitalocean":
    case "aws": {
      // The outputs of a stack outlive its machine.
      const { login } = outputsOf(stack);
      const prepared = stateOf(stack).resources.find(({ type }) => type.endsWith(":Prepared"));
      if (!login || !prepared) return ["ENGINE=none"];
      // Of the machine that is there: the outputs are those of the last run that ended well.
      const options = pinnedOptions(
        String(prepared.outputs?.["hostKey"]),
        resolve(writeKeyFile(stack, login.privateKey)),
      );
      return [...engineAt(`ssh://${login.user}@${login.address}`, "machine"), ...sshWith(options)];
    }
    default:
      return host satisfies never;
  }
}

function engineAt(address: string, kind: "local" | "machine"): string[] {
  return [
    "unset DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH",
    `export DOCKER_HOST='${address}'`,
    `ENGINE=${kind}`,
  ];
}

/** docker runs `ssh` without options of ours: the one in scripts/ssh takes them from this file. */
function sshWith(options: readonly string[]): string[] {
  const file = resolve(".state", "ssh", `${stack}.config`);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const lines = options.filter((word) => word !== "-o").map((option) => option.replace("=", " "));
  writeFileSync(file, `${lines.join("\n")}\n`);
  return [`export PATH='${resolve("scripts/ssh")}':"$PATH" PRIVATE_REGISTRY_SSH_CONFIG='${file}'`];
}
