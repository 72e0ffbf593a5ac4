import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

import { stringify } from "yaml";

import { renderTrustBundle } from "../components/certificate/trustBundle.ts";
import { UserError } from "../components/userError.ts";
import { basicAuthorization } from "./client.ts";
import type { Stack } from "./stack.ts";

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
  const password = pullUser === undefined ? "" : passwords[pullUser];
  if (pullUser !== undefined && password === undefined) {
    throw new UserError(
      `There is no user ${pullUser} in stack ${stack.name}. Its users: ${Object.keys(passwords).join(", ")}`,
    );
  }
  if (Object.keys(files).length === 0 && pullUser === undefined) {
    throw new UserError(`Clients already trust the certificate of stack ${stack.name}: no files are needed.`);
  }
  const folder = resolve(path);
  checkFolder(folder);
  for (const [name, content] of Object.entries(files)) write(join(folder, name), content, 0o644);
  if (pullUser !== undefined) {
    const secret = renderPullSecret(stack.name, endpoint, pullUser, password ?? "");
    write(join(folder, "kubernetes/pull-secret.yaml"), secret, 0o600);
  }
  return `${folder}\nIts README.md says where each file goes.`;
}

/** Overwrites only an earlier bundle. */
function checkFolder(folder: string): void {
  if (!existsSync(folder)) return;
  const isBundle =
    existsSync(join(folder, "README.md")) &&
    readFileSync(join(folder, "README.md"), "utf8").startsWith("# How clients trust ");
  if (readdirSync(folder).length > 0 && !isBundle)
    throw new UserError(`${folder} has other files. Name a new or an empty folder: DIR=…`);
}

function write(path: string, content: string, mode: number): void {
  mkdirSync(dirname(path), { recursive: true });
  // An existing file would keep its mode.
  writeFileSync(path, "", { mode });
  chmodSync(path, mode);
  writeFileSync(path, content);
}

/** A secret of the type that `imagePullSecrets` names. */
function renderPullSecret(stack: string, endpoint: string, user: string, password: string): string {
  const auth = basicAuthorization(user, password).replace("Basic ", "");
  const config = JSON.stringify({ auths: { [endpoint]: { username: user, password, auth } } });
  return stringify({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: `private-registry-${stack}` },
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": Buffer.from(config).toString("base64") },
  });
}
