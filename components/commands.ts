// Commands that a person is shown, to run as they are printed.

import * as pulumi from "@pulumi/pulumi";

/** A word as a shell reads it, whatever is in it. */
export function shellQuoted(text: string): string {
  return /^[\w.@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The command that changes a setting, by its path: to be shown with `inNewShell`. */
export function configCommand(
  verb: "set" | "set --secret" | "set --type string" | "rm",
  path: string,
  value = "",
): string {
  const key = /[.[]/.test(path) ? `--path '${path}'` : path;
  return `pulumi config ${verb} ${key}${value === "" ? "" : ` ${value}`}`;
}

/** What is said beside `pulumi` commands, so that they run as printed. */
export function inNewShell(stack: string): string {
  return `In a new shell, first: eval "$(make -s env)" && pulumi stack select ${stack}`;
}

/** Signs Docker in; asks for the password. */
export function loginCommand(user: string, endpoint: string): string {
  return `docker login -u ${shellQuoted(user)} ${endpoint}`;
}

/** Asks the registry whether it is there; asks for the password. Prints 200. For a shell with the environment of `make env`. */
export function checkCommand(user: string, url: string, hasCa: boolean): string {
  const ca = hasCa ? `--cacert <(pulumi stack output caCertificate -s ${pulumi.getStack()}) ` : "";
  return `curl -I ${ca}-u ${shellQuoted(user)} ${url}/v2/`;
}
