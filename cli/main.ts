// The program behind `make`: node cli/main.ts COMMAND [STACK]
import { spawnSync } from "node:child_process";
import { parseArgs, stripVTControlCharacters } from "node:util";

import { messageOf, UserError } from "../components/userError.ts";
import { writeAuthority } from "./ca.ts";
import { ownedBy } from "./containers.ts";
import { destroy, purge } from "./down.ts";
import { engineOf } from "./engine.ts";
import { pulumiEnvironment, renderExports, setVariables } from "./environment.ts";
import { gc } from "./gc.ts";
import { login } from "./login.ts";
import { newerImages } from "./newerImages.ts";
import { CommandFailed, Interrupted, outputOf, run } from "./processes.ts";
import { renew } from "./renewal.ts";
import { prove, smoke } from "./smoke.ts";
import { Stack } from "./stack.ts";
import { status, statusUnopened } from "./status/status.ts";
import { trust, untrust } from "./trust/trust.ts";
import { writeTrustBundle } from "./trustBundle.ts";
import { ensureImages, policies, up } from "./up.ts";

interface Options {
  /** Prints JSON, for scripts. */
  readonly json: boolean;
  /** Leaves out what takes longest. */
  readonly quick: boolean;
}

interface Command {
  readonly what: string;
  /** Whether the command can print JSON. */
  readonly hasJson?: boolean;
  /** Whether the command has a quick form. */
  readonly hasQuick?: boolean;
  /** Resolves to the exit code. Nothing is 0, and false is 1: the registry was checked and does not work. */
  readonly run: (stack: Stack, options: Options) => Promise<unknown>;
  /** Returns the exit code if the stack can't be opened. Default: why is printed, and it is 1. */
  readonly unopened?: (stack: string, error: unknown, options: Options) => number;
}

const commands: Readonly<Record<string, Command>> = {
  init: { what: "create an empty stack", run: (stack) => stack.init() },
  up: { what: "set everything up, then check that the registry works", run: up },
  preview: { what: "show what `up` would change", run: preview },
  destroy: { what: "take the registry down; keep the pushed images", run: destroy },
  purge: { what: "take the registry down and delete all pushed images", run: purge },
  login: { what: "sign the docker client in as the first user", run: login },
  passwords: { what: "print the users' passwords, which are secret", hasJson: true, run: printPasswords },
  ca: {
    what: "write the authority that clients must trust to ca.crt or FILE",
    run: async (stack) => console.log(await writeAuthority(stack, process.env["FILE"] ?? "ca.crt")),
  },
  "trust-bundle": {
    what: "write the files with which clients trust the registry to DIR, with a pull secret for PULL_USER",
    run: async (stack) => console.log(await writeTrustBundle(stack, folderFor(stack), process.env["PULL_USER"])),
  },
  trust: { what: "make the clients of this machine trust the registry", run: trust },
  untrust: { what: "take out what `trust` wrote", run: untrust },
  smoke: { what: "check that the live registry works", hasJson: true, run: proveLive },
  status: {
    what: "show whether all is well, for people and monitors",
    hasJson: true,
    hasQuick: true,
    run: status,
    unopened: statusUnopened,
  },
  renew: { what: "have the authority renew the certificate now, if it is due", run: renew },
  gc: {
    what: "collect what no manifest needs; DRY=1 only tells, NOW=1 waits, UNDO=RUN puts back, EMPTY=1 removes for good",
    run: gc,
  },
  ssh: { what: "sign in to the stack's machine", run: signIn },
  logs: { what: "show the logs of the containers, the last LINES of each (200)", run: showLogs },
  "newer-images": { what: "name newer versions of the images that the stack runs", hasJson: true, run: newerImages },
  images: { what: "pull or build the images that the stack needs", run: getImages },
};

async function preview(stack: Stack): Promise<void> {
  await stack.init();
  let shown = "";
  await stack.show([...stack.about("preview"), "--diff", ...policies], (text) => (shown += text));
  if (replacesProxy(shown)) console.error(`▸ ${gap}`);
}

const gap =
  "The proxy container will be replaced, because its image, ports or data folder changes: nobody is answered for about a " +
  "second, and transfers that take more than 30 seconds are cut.";

/** Whether a preview with `--diff` replaces the proxy container, whose ports nobody else can have meanwhile. */
function replacesProxy(shown: string): boolean {
  return /\(replace\)\s+\[id=[^\]]*\]\s+\[urn=[^\]]*-proxy-container\]/.test(stripVTControlCharacters(shown));
}

async function printPasswords(stack: Stack, { json }: Options): Promise<void> {
  const { usernames, passwords } = await stack.outputs();
  console.error("These are secret: keep them out of logs and off shared screens.");
  if (json) console.log(JSON.stringify(passwords, undefined, 2));
  else for (const name of usernames) console.log(`${name}: ${passwords[name] ?? ""}`);
}

async function proveLive(stack: Stack, { json }: Options): Promise<boolean> {
  await stack.outputs();
  setVariables((await engineOf(stack)).variables);
  if (!json) return smoke(stack);
  const findings = await prove(stack, () => undefined);
  console.log(JSON.stringify(findings, undefined, 2));
  return findings.every(({ result }) => result !== "failed");
}

async function signIn(stack: Stack): Promise<void> {
  await stack.state();
  const { variables, login: address } = await engineOf(stack);
  if (address === undefined) {
    throw new UserError(
      `Stack ${stack.name} has no machine to sign in to. To create one in a cloud: make up STACK=${stack.name}`,
    );
  }
  setVariables(variables);
  const { status } = spawnSync("ssh", ["-t", address], { stdio: "inherit" });
  // Any other status is that of the user's last command there.
  if (status === 255) throw new CommandFailed(status);
}

async function showLogs(stack: Stack): Promise<void> {
  await stack.state();
  setVariables((await engineOf(stack)).variables);
  const names = outputOf("docker", ["ps", "--all", ...ownedBy(stack), "--format", "{{.Names}}"]);
  if (names === "") {
    throw new UserError(`Stack ${stack.name} has no containers. To create them: make up STACK=${stack.name}`);
  }
  const script = 'docker logs --tail "$2" "$1" 2>&1 | sed "s/^/$1  /"';
  for (const name of names.trim().split("\n").sort())
    run("sh", ["-c", script, "-", name, process.env["LINES"] ?? "200"]);
}

async function getImages(stack: Stack): Promise<void> {
  await stack.init();
  const { reached, variables } = await engineOf(stack);
  setVariables(variables);
  if (reached === "local") run("bootstrap/ensure-engine");
  await ensureImages(stack);
}

function folderFor(stack: Stack): string {
  const folder = process.env["DIR"] ?? "";
  if (folder === "") throw new UserError(`Name a folder: make trust-bundle STACK=${stack.name} DIR=trust`);
  return folder;
}

function usage(): string {
  const lines = [...Object.entries(commands), ["env", { what: "print the environment for plain `pulumi …`" }] as const];
  return `Usage: node cli/main.ts COMMAND [STACK]        STACK defaults to dev1

${lines.map(([name, { what }]) => `  ${name.padEnd(12)} ${what}`).join("\n")}

  --json     print JSON, for scripts: passwords, smoke, status, newer-images
  --quick    leave out the preview and the size of the images: status
  --help     print this help`;
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: "boolean", default: false },
        quick: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new UserError(`${messageOf(error)}\n\n${usage()}`);
  }
}

/** @returns The exit code. */
async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsed(args);
  const [name = "", stack = "dev1", ...rest] = positionals;
  if (values.help) {
    console.log(usage());
    return 0;
  }
  if (name === "env") {
    console.log(renderExports(pulumiEnvironment(process.cwd())));
    return 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined || rest.length > 0) throw new UserError(usage());
  if (values.json && !command.hasJson) throw new UserError(`${name} has no option --json.`);
  if (values.quick && !command.hasQuick) throw new UserError(`${name} has no option --quick.`);
  const opened = await Stack.of(stack).catch((error: unknown) => {
    if (command.unopened === undefined) throw error;
    return command.unopened(stack, error, values);
  });
  if (typeof opened === "number") return opened;
  const ended = await command.run(opened, values);
  return typeof ended === "number" ? ended : ended === false ? 1 : 0;
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => (process.exitCode = tell(error)),
);

/** Prints what was thrown. Returns the exit code. */
function tell(error: unknown): number {
  if (error instanceof Interrupted) return 130;
  // The command itself has printed why.
  if (error instanceof CommandFailed) return error.code;
  console.error(error instanceof UserError ? error.message : error);
  return 1;
}
