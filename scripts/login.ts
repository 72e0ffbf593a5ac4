// Signs the docker client in as the first user of a stack: tsx scripts/login.ts STACK
// The password goes to docker by its standard input: never into a command line, never onto the screen.
import { spawnSync } from "node:child_process";

import { isLoopback } from "../components/reverseProxy";
import { liveOutputsOf } from "./live";

const [stack = ""] = process.argv.slice(2);
const outputs = liveOutputsOf(stack);
const [user = ""] = outputs.usernames;
const { error, status } = spawnSync("docker", ["login", "-u", user, "--password-stdin", outputs.endpoint], {
  input: outputs.passwords[user] ?? "",
  stdio: ["pipe", "inherit", "inherit"],
});
process.exitCode = status ?? 1;
if ((error as NodeJS.ErrnoException | undefined)?.code === "ENOENT") {
  console.error("The docker command is missing: install Docker's client.");
} else if (status !== 0 && outputs.caCertificate !== "" && !isLoopback(new URL(outputs.url).hostname)) {
  const folder = `/etc/docker/certs.d/${outputs.endpoint}`;
  console.error(`
  Where Docker doesn't know the stack's authority yet, on the machine of the engine that it uses here:
    make ca STACK=${stack}
    sudo mkdir -p ${folder}
    sudo cp ca.crt ${folder}/ca.crt`);
}
