import { homedir } from "node:os";
import { join } from "node:path";

import { renderTrustBundle } from "../../components/certificate/trustBundle.ts";
import type { Outputs } from "../../components/outputs.ts";
import { UserError } from "../../components/userError.ts";
import { findProgram, readText } from "./files.ts";

/** A file with which a client trusts the registry. */
export interface Target {
  readonly path: string;
  readonly content: string;
  /** Whether the content is appended to what others have in the file. Default: it is the whole file. */
  readonly isShared?: boolean;
}

/** A kind of client that this machine has. */
export interface Client {
  readonly name: string;
  readonly files: readonly Target[];
  /** What is left to the user. */
  readonly next: string;
}

/** A kind of client that this machine has if it has one of these programs. */
interface Kind extends Omit<Client, "files"> {
  readonly programs: readonly string[];
  readonly files: () => readonly Target[];
}

/**
 * The clients whose programs this machine has, and with SYSTEM=1 the system's store.
 *
 * @throws UserError if a file has settings that contradict.
 */
export function findClients(outputs: Outputs, stack: string, withStore: boolean): Client[] {
  const bundle = renderTrustBundle(outputs);
  /** The files of a client in the bundle, below the folder that it reads. */
  const inFolder = (name: string, folder: string): Target[] =>
    Object.entries(bundle)
      .filter(([file]) => file.startsWith(`${name}/certs.d/`))
      .map(([file, content]) => ({ path: join(folder, file.slice(name.length + 1)), content }));
  // podman and its relatives don't heed XDG_CONFIG_HOME for certificates.
  const config = join(homedir(), ".config");
  const kinds: readonly Kind[] = [
    {
      name: "Docker engine",
      programs: ["dockerd"],
      files: () => inFolder("docker", "/etc/docker"),
      next: "no restart is needed.",
    },
    {
      name: "rootless Docker",
      programs: ["dockerd-rootless.sh"],
      files: () => inFolder("docker", join(config, "docker")),
      next: "no restart is needed.",
    },
    {
      name: "podman, skopeo, buildah",
      programs: ["podman", "skopeo", "buildah"],
      files: () => inFolder("containers", join(config, "containers")),
      next: "nothing more, for this user.",
    },
    {
      name: "containerd",
      programs: ["containerd"],
      files: () => inFolder("containerd", "/etc/containerd"),
      next:
        'its config.toml must have config_path = "/etc/containerd/certs.d". The guide of this bundle names the section: ' +
        `make trust-bundle STACK=${stack} DIR=trust`,
    },
    {
      name: "BuildKit",
      programs: ["buildkitd"],
      files: () => [...inFolder("buildkit", "/etc/buildkit"), ...buildkitSettings(bundle, outputs, stack)],
      next: "restart buildkitd.",
    },
  ];
  const present = kinds.filter(({ programs }) => programs.some((name) => findProgram(name) !== undefined));
  const clients = present.map(({ name, files, next }) => ({ name, files: files(), next }));
  return withStore ? [...clients, storeOf(outputs, stack)] : clients;
}

/** Nothing, if BuildKit's settings name the authority already. */
function buildkitSettings(bundle: Readonly<Record<string, string>>, { endpoint }: Outputs, stack: string): Target[] {
  const path = "/etc/buildkit/buildkitd.toml";
  const block = bundle["buildkit/buildkitd.toml"] ?? "";
  const now = readText(path) ?? "";
  const [, ...lines] = block.trimEnd().split("\n");
  if (lines.every((line) => now.includes(line.trim()))) return [];
  if (hasTable(now, endpoint)) {
    throw new UserError(
      `${path} has settings for ${endpoint} already. Add these lines to them, then: make trust STACK=${stack}\n\n${lines.join("\n")}`,
    );
  }
  return [{ path, content: block, isShared: true }];
}

/** Whether a TOML file has a table for a registry, in whichever of the ways to write one. */
export function hasTable(toml: string, endpoint: string): boolean {
  const name = `["']?${endpoint.replaceAll(/[^\w-]/g, "\\$&")}["']?`;
  return new RegExp(`^\\s*(\\[?\\s*registry\\s*\\.\\s*)?${name}\\s*[\\].=]`, "m").test(toml);
}

/** A system's folder for authorities that its administrator adds, and the program that puts them into its store. */
const stores = [
  // Without --fresh, Debian's leaves dead links.
  { folder: "/usr/local/share/ca-certificates", program: "update-ca-certificates", options: ["--fresh"] },
  { folder: "/etc/pki/ca-trust/source/anchors", program: "update-ca-trust", options: ["extract"] },
];

function storeOf({ caCertificate }: Outputs, stack: string): Client {
  const store = stores.find(({ program }) => findProgram(program) !== undefined);
  if (store === undefined) {
    throw new UserError(
      `SYSTEM=1: neither update-ca-certificates nor update-ca-trust was found, so this system's store is not known. Without it: make trust STACK=${stack}`,
    );
  }
  return {
    name: "system store",
    files: [{ path: join(store.folder, `private-registry-${stack}.crt`), content: caCertificate }],
    next: "restart the programs that must see it.",
  };
}

/** The command that updates the system's store, if it must be run for one of these files. */
export function storeUpdate(paths: readonly string[]): readonly [program: string, ...options: string[]] | undefined {
  const store = stores.find(({ folder }) => paths.some((path) => path.startsWith(`${folder}/`)));
  return store && [findProgram(store.program) ?? store.program, ...store.options];
}
