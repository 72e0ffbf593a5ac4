// Commands in messages, which a person can run as printed.

import * as pulumi from "@pulumi/pulumi";

/** A word, quoted for a shell if necessary. */
export function shellQuoted(text: string): string {
  return /^[\w.@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The command that changes a setting, by its path. Show it with `inNewShell`. */
export function configCommand(
  verb: "set" | "set --secret" | "set --type string" | "rm",
  path: string,
  value = "",
): string {
  const key = /[.[]/.test(path) ? `--path '${path}'` : path;
  return `pulumi config ${verb} ${key}${value === "" ? "" : ` ${value}`}`;
}

/** The hint that goes with `pulumi` commands, so that they run as printed. */
export function inNewShell(stack: string): string {
  return `In a new shell, first: eval "$(make -s env)" && pulumi stack select ${stack}`;
}

/** The command that signs Docker in. It asks for the password. */
export function loginCommand(user: string, endpoint: string): string {
  return `docker login -u ${shellQuoted(user)} ${endpoint}`;
}

/** The command that checks the registry: prints 200, asks for the password, needs the environment of `make env`. */
export function checkCommand(user: string, url: string, hasCa: boolean): string {
  const ca = hasCa ? `--cacert <(pulumi stack output caCertificate -s ${pulumi.getStack()}) ` : "";
  return `curl -I ${ca}-u ${shellQuoted(user)} ${url}/v2/`;
}
