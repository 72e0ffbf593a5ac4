import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

import { stringify } from "yaml";

import { renderTrustBundle } from "../components/certificate/trustBundle.ts";
import { UserError } from "../components/userError.ts";
import { basicAuthorization } from "./client.ts";
import type { Stack } from "./stack.ts";

/** How the guide of a bundle begins. */
const title = "# How clients trust ";

/** All that a bundle may have. */
const entries = ["README.md", "ca.crt", "docker", "containers", "containerd", "buildkit", "k3s", "kubernetes"];

/**
 * Writes the files with which clients trust the registry of a stack to a folder.
 *
 * @param pullUser Adds a Kubernetes pull secret for this user, with the password. Default: no secret.
 * @returns The message for the user.
 */
export async function writeTrustBundle(
  stack: Pick<Stack, "name" | "outputs">,
  path: string,
  pullUser?: string,
): Promise<string> {
  const outputs = await stack.outputs();
  const { endpoint, passwords } = outputs;
  const files = renderTrustBundle(outputs);
  if (pullUser !== undefined && !Object.hasOwn(passwords, pullUser)) {
    throw new UserError(
      `There is no user ${pullUser} in stack ${stack.name}. Its users: ${Object.keys(passwords).join(", ")}`,
    );
  }
  if (Object.keys(files).length === 0 && pullUser === undefined) {
    throw new UserError(`Clients already trust the certificate of stack ${stack.name}: no files are needed.`);
  }
  const folder = resolve(path);
  clear(folder);
  const guide = `${title}${endpoint}\n\nThey trust its certificate without any file.\n`;
  for (const [name, content] of Object.entries({ "README.md": guide, ...files }))
    write(join(folder, name), content, 0o644);
  if (pullUser !== undefined) {
    const secret = renderPullSecret(stack.name, endpoint, pullUser, passwords[pullUser] ?? "");
    write(join(folder, "kubernetes/pull-secret.yaml"), secret, 0o600);
  }
  return `${folder}\nIts README.md says where each file goes.`;
}

/** Removes an earlier bundle, which may have a secret, but no other files. */
function clear(folder: string): void {
  const present = existsSync(folder) ? readdirSync(folder) : [];
  const isBundle = present.includes("README.md") && readFileSync(join(folder, "README.md"), "utf8").startsWith(title);
  if (present.some((name) => !isBundle || !entries.includes(name)))
    throw new UserError(`${folder} has other files. Name a new or an empty folder: DIR=…`);
  for (const name of present) rmSync(join(folder, name), { recursive: true });
}

function write(path: string, content: string, mode: number): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content, { mode });
}

/** A secret of the type that `imagePullSecrets` names. */
function renderPullSecret(stack: string, endpoint: string, user: string, password: string): string {
  const auth = basicAuthorization(user, password).replace("Basic ", "");
  const config = JSON.stringify({ auths: { [endpoint]: { username: user, password, auth } } });
  return stringify({
    apiVersion: "v1",
    kind: "Secret",
    // Kubernetes takes no capital letters and no underscores.
    metadata: { name: `private-registry-${stack.toLowerCase().replaceAll("_", "-")}` },
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": Buffer.from(config).toString("base64") },
  });
}
