import { resolve } from "node:path";

import { pinnedOptions, writeKeyFile, writePrivately } from "../components/hosts/sshClient.ts";
import type { HostSettings } from "../settings/host.ts";
import type { Variables } from "./environment.ts";
import type { Stack } from "./stack.ts";
import { inClear } from "./state.ts";

/** How to reach the Docker engine of a stack. */
export interface StackEngine {
  readonly target: HostSettings["target"];
  /** `local`: directly; `machine`: over SSH, with its pinned host key; `none`: not yet, the machine is not ready. */
  readonly reached: "local" | "machine" | "none";
  /** The environment of the `docker` client. */
  readonly variables: Variables;
  /** The address for `ssh`, if there is a machine to sign in to. */
  readonly login?: string;
}

export async function engineOf(stack: Stack): Promise<StackEngine> {
  const host = await stack.host();
  const { target } = host;
  switch (target) {
    case "local": {
      const { host: address, certPath } = host.engine;
      const tls = { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: certPath };
      const variables = { ...engineAt(address), ...(certPath !== undefined && tls) };
      return { target, reached: "local", variables };
    }
    case "ssh": {
      const { host: login, sshOptions } = host.engine;
      return {
        target,
        reached: "machine",
        variables: { ...engineAt(login), ...sshWith(stack.name, sshOptions) },
        login,
      };
    }
    default: {
      // From the current machine: the outputs of a stack are those of the last successful run.
      const { resources } = await stack.state();
      const current = resources.filter((resource) => !resource.delete && !resource.pendingReplacement);
      const known = current.find(({ type }) => type.endsWith(":HostKey"))?.outputs;
      if (known === undefined) return { target, reached: "none", variables: {} };
      const text = (key: string) => String(inClear(known[key]));
      const login = `ssh://${text("user")}@${text("address")}`;
      const keyFile = resolve(writeKeyFile(stack.name, text("privateKey")));
      const ssh = sshWith(stack.name, pinnedOptions(text("hostKey"), keyFile));
      const isReady = current.some(({ type }) => type.endsWith(":Prepared"));
      return isReady
        ? { target, reached: "machine", variables: { ...engineAt(login), ...ssh }, login }
        : { target, reached: "none", variables: ssh, login };
    }
  }
}

function engineAt(address: string): Variables {
  return {
    DOCKER_CONTEXT: undefined,
    DOCKER_TLS_VERIFY: undefined,
    DOCKER_CERT_PATH: undefined,
    DOCKER_HOST: address,
  };
}

/** docker passes no options of ours to `ssh`, so the `ssh` in bootstrap/ssh reads them from this file. */
function sshWith(stack: string, options: readonly string[]): Variables {
  const file = resolve(".state", "ssh", `${stack}.config`);
  const lines = options.filter((word) => word !== "-o").map((option) => option.replace("=", " "));
  // Commands that hold no lock, such as `status`, write it, too.
  writePrivately(file, `${lines.join("\n")}\n`);
  const wrapper = resolve("bootstrap/ssh");
  const path = (process.env["PATH"] ?? "").split(":").filter((folder) => folder !== wrapper);
  return { PATH: [wrapper, ...path].join(":"), PRIVATE_REGISTRY_SSH_CONFIG: file };
}
