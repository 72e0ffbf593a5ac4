import { chownSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { type Configuration, renderConfiguration } from "../components/proxy/configuration.ts";
import { images } from "../settings/images.ts";
import type { Checkout } from "../test/support/checkout.ts";
import { docker, removeContainers } from "./commands.ts";
import {
  caddyfile,
  files,
  folder,
  ownTlsAndHtpasswd,
  recipe,
  registryConfig,
  staticFile,
  tlsPort,
  withoutAuthentication,
} from "./configs.ts";
import { askEngine } from "./engine.ts";
import type { SubjectId } from "./report.ts";
import { type ProxyFiles, startStack } from "./stack.ts";

export interface Subject {
  readonly id: SubjectId;
  /** The URL of its front on that container's loopback. */
  readonly url: string;
  /** Its containers, the front first. */
  readonly containers: readonly string[];
  /** The folder of the registry's files on the engine's machine. */
  readonly data: string;
}

/** The images of all subjects: the default images of this project, and the Caddy that airgap/ builds. */
export function readImages(): { readonly registry: string; readonly proxy: string; readonly caddy: string } {
  return {
    registry: images.registry.reference,
    proxy: images.proxy.reference,
    caddy: process.env["CADDY_IMAGE"] ?? "",
  };
}

/** All subjects. Their names begin with the checkout's name, so that disposing of the checkout removes them too. */
export class Subjects {
  private readonly images = readImages();
  private readonly containers: string[] = [];
  /** The stack's files, which the other subjects use too: the same certificate, the same hash of the same password. */
  private stack: ProxyFiles = { conf: "", certificate: "", key: "", htpasswd: "" };

  private readonly checkout: Checkout;
  private readonly folder: string;

  /** @param folder For configuration files; only this user may read it. */
  constructor(checkout: Checkout, folder: string) {
    this.checkout = checkout;
    this.folder = folder;
  }

  async start(): Promise<Subject[]> {
    const stack = await this.startStack();
    const open = await this.startWithoutAuthentication(stack);
    return [
      stack,
      open,
      await this.startBehind("b", this.images.proxy, ["-g", "daemon off; user nginx;"], {
        "/etc/nginx/nginx.conf": recipe,
      }),
      await this.startAlone("c", ownTlsAndHtpasswd, `https://127.0.0.1:${String(tlsPort)}`),
      await this.startBehind("d", this.images.caddy, [], { "/etc/caddy/Caddyfile": caddyfile(this.stack.htpasswd) }),
      await this.startAlone("e", registryConfig(), "http://127.0.0.1:5000"),
      await this.startStaticFile(),
    ];
  }

  async dispose(): Promise<void> {
    await removeContainers(this.containers);
    await this.checkout.dispose();
  }

  /** (a) This stack as `make up` creates it. */
  private async startStack(): Promise<Subject> {
    const { checkout } = this;
    this.stack = await startStack(checkout);
    if (!/:\$2[aby]\$10\$/.test(this.stack.htpasswd))
      throw new Error("The hashes of the stack are not bcrypt with cost 10.");
    return {
      id: "a",
      url: "https://127.0.0.1:8443",
      containers: [...(await checkout.containers("proxy")), ...(await checkout.containers("registry"))],
      data: await folderOf(`${checkout.name}-data`),
    };
  }

  /** (a0) A copy of the proxy container for the same registry, with another configuration. */
  private async startWithoutAuthentication(stack: Subject): Promise<Subject> {
    const [proxy = "", ...registries] = stack.containers;
    const name = this.nameOf("a0", "proxy");
    const current = join(this.folder, "a0", "current");
    const { htpasswd, certificate, key } = this.stack;
    const lines = htpasswd.trim().split("\n");
    const hashes = Object.fromEntries(lines.map((line) => line.split(":") as [string, string]));
    const configuration: Configuration = {
      serverName: "localhost",
      ipv6: false,
      endpoints: [{ name: "registry", audience: "users", port: 8443 }],
      // Docker's DNS knows a container by the beginning of its id.
      registries: registries.map((id) => `${id.slice(0, 12)}:5000`),
      users: [{ name: "admin", role: "admin" }],
      ...{
        rules: [],
        openPrefixes: [],
        limits: { guessesPerMinute: 30 },
        certificate: { chain: certificate, key },
        isRenewed: false,
        isWatched: false,
        hashes,
      },
    };
    for (const [file, content] of Object.entries(renderConfiguration(configuration, withoutAuthentication))) {
      const path = join(current, file);
      write(path, content);
      chownSync(path, 101, 101);
    }
    chownSync(dirname(current), 101, 101);
    chownSync(current, 101, 101);

    const { Config, HostConfig, NetworkSettings } = (await askEngine("GET", `/containers/${proxy}/json`)) as {
      Config: object;
      HostConfig: { Binds: string[] };
      NetworkSettings: { Networks: object };
    };
    const binds = HostConfig.Binds.map((bind) =>
      bind.includes(":/etc/proxy:") ? `${dirname(current)}:/etc/proxy:ro` : bind,
    );
    await askEngine("POST", `/containers/create?name=${name}`, {
      ...Config,
      Hostname: "",
      Labels: {},
      HostConfig: { ...HostConfig, Binds: binds, PortBindings: {}, RestartPolicy: {} },
    });
    this.containers.push(name);
    for (const network of Object.keys(NetworkSettings.Networks)) {
      if (network !== proxy) await docker("network", "connect", network, name);
    }
    await docker("start", name);
    return { ...stack, id: "a0", containers: [name, ...registries] };
  }

  /** A proxy with its own registry. */
  private async startBehind(
    id: SubjectId,
    image: string,
    options: readonly string[],
    configs: Record<string, string>,
  ): Promise<Subject> {
    const network = this.nameOf(id, "network");
    await docker("network", "create", network);
    const { containers, data } = await this.startRegistry(id, registryConfig(), [
      "--network",
      network,
      "--network-alias",
      "registry",
    ]);
    const command = options.length === 0 ? [] : ["nginx", ...options];
    const proxy = await this.run(id, "proxy", image, ["--network", network], configs, command);
    return { id, url: `https://127.0.0.1:${String(tlsPort)}`, containers: [proxy, ...containers], data };
  }

  /** A registry that clients reach directly. */
  private async startAlone(id: SubjectId, config: string, url: string): Promise<Subject> {
    return { id, url, ...(await this.startRegistry(id, config, [])) };
  }

  private async startRegistry(id: SubjectId, config: string, options: readonly string[]) {
    const volume = this.nameOf(id, "data");
    await docker("volume", "create", volume);
    const name = await this.run(
      id,
      "registry",
      this.images.registry,
      [...options, "--volume", `${volume}:/var/lib/registry`],
      { "/etc/distribution/config.yml": config },
    );
    return { containers: [name], data: await folderOf(volume) };
  }

  /** (f) One file. */
  private async startStaticFile(): Promise<Subject> {
    const volume = this.nameOf("f", "data");
    await docker("volume", "create", volume);
    const proxy = await this.run(
      "f",
      "proxy",
      this.images.proxy,
      ["--volume", `${volume}:/data:ro`],
      { "/etc/nginx/nginx.conf": staticFile },
      ["nginx", "-g", "daemon off; user nginx;"],
    );
    return {
      id: "f",
      url: `https://127.0.0.1:${String(tlsPort)}`,
      containers: [proxy],
      data: await folderOf(volume),
    };
  }

  /** Starts a container with Docker's defaults, its configuration files and the common files. */
  private async run(
    id: SubjectId,
    role: string,
    image: string,
    options: readonly string[],
    configs: Record<string, string>,
    command: readonly string[] = [],
  ): Promise<string> {
    const name = this.nameOf(id, role);
    const shared = join(this.folder, "shared");
    for (const key of ["certificate", "key", "htpasswd"] as const)
      write(join(shared, files[key]), `${this.stack[key]}\n`);
    const mounts = Object.entries(configs).flatMap(([path, content]) => {
      const file = join(this.folder, name, path);
      write(file, content);
      return ["--volume", `${file}:${path}:ro`];
    });
    const shares = ["--volume", `${shared}:${folder}:ro`];
    await docker("create", "--name", name, ...options, ...mounts, ...shares, image, ...command);
    this.containers.push(name);
    await docker("start", name);
    return name;
  }

  private nameOf(id: SubjectId, role: string): string {
    return `${this.checkout.name}-${id}-${role}`;
  }
}

/** Puts the blob into the folder of the static file server. */
export function putStaticFile({ data }: Subject, blob: string): void {
  copyFileSync(blob, join(data, "blob"));
}

function folderOf(volume: string): Promise<string> {
  return docker("volume", "inspect", "--format", "{{.Mountpoint}}", volume);
}

/** Servers that don't run as root must read these files too; their parent folder is private. */
function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
