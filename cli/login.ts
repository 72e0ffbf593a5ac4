import { spawnSync } from "node:child_process";

import { isLoopback } from "../components/endpoint.ts";
import { UserError } from "../components/userError.ts";
import { CommandFailed } from "./processes.ts";
import type { Stack } from "./stack.ts";

/**
 * Signs the docker client in as the first user of a stack. docker reads the password from standard input, so it appears
 * on no command line and no screen.
 */
export async function login(stack: Stack): Promise<void> {
  const { usernames, passwords, endpoint, caCertificate, url } = await stack.outputs();
  const [user = ""] = usernames;
  const { error, status } = spawnSync("docker", ["login", "-u", user, "--password-stdin", endpoint], {
    input: passwords[user] ?? "",
    stdio: ["pipe", "inherit", "inherit"],
  });
  if ((error as NodeJS.ErrnoException | undefined)?.code === "ENOENT") {
    throw new UserError("The docker command is missing: install Docker's client.");
  }
  if (status === 0) return;
  if (caCertificate !== "" && !isLoopback(new URL(url).hostname)) {
    const folder = `/etc/docker/certs.d/${endpoint}`;
    console.error(`
  If Docker doesn't trust the stack's authority yet, run on the machine of the Docker engine:
    make ca STACK=${stack.name}
    sudo mkdir -p ${folder}
    sudo cp ca.crt ${folder}/ca.crt`);
  }
  throw new CommandFailed(status ?? 1);
}
