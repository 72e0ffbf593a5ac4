// Signs the docker client in as the first user of a stack: tsx scripts/login.ts STACK
// The password goes to docker by its standard input: never into a command line, never onto the screen.
import { spawnSync } from "node:child_process";

import { isLoopback } from "../components/reverseProxy";
import { outputsOf } from "./pulumi";

const [stack = ""] = process.argv.slice(2);
const outputs = outputsOf(stack);
const [user = ""] = outputs.usernames;
const { status } = spawnSync("docker", ["login", "-u", user, "--password-stdin", outputs.endpoint], {
  input: outputs.passwords[user] ?? "",
  stdio: ["pipe", "inherit", "inherit"],
});
process.exitCode = status ?? 1;
if (status !== 0 && outputs.caCertificate !== "" && !isLoopback(new URL(outputs.url).hostname)) {
  const folder = `/etc/docker/certs.d/${outputs.endpoint}`;
  console.error(`
  Where Docker doesn't know the stack's authority yet, on the machine of the engine that it uses here:
    sudo mkdir -p ${folder}
    pulumi stack output caCertificate -s ${stack} | sudo tee ${folder}/ca.crt`);
}
