import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { issue } from "./certificates.ts";
import { run, succeed } from "./run.ts";

/**
 * A second Docker engine: in its own network namespace, so that it touches no rule of the first, listening with TLS
 * on port 2376 of that namespace's loopback. Its client certificate is in a docker-machine's folder.
 */
export class SecondEngine {
  private readonly folder = mkdtempSync(join(tmpdir(), "engine-"));
  private daemon: ChildProcess | undefined;

  /** What docker-machine would have under MACHINE_STORAGE_PATH. */
  readonly storage = join(this.folder, "machine");
  readonly machine: string;

  constructor(machine: string) {
    this.machine = machine;
  }

  /** A prefix that runs a command on the engine's loopback. */
  get beside(): string[] {
    return ["nsenter", `--net=/proc/${String(this.daemon?.pid)}/ns/net`, "--"];
  }

  /** The environment of a docker client of this engine. */
  get env(): NodeJS.ProcessEnv {
    const certificates = join(this.storage, "machines", this.machine);
    return { DOCKER_HOST: "tcp://127.0.0.1:2376", DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: certificates };
  }

  async start(): Promise<void> {
    this.issueCertificates();
    const path = (file: string) => join(this.folder, file);
    const dockerd = [
      ...["dockerd", "--host", "tcp://127.0.0.1:2376", "--tlsverify"],
      ...["--tlscacert", path("ca.pem"), "--tlscert", path("server.pem"), "--tlskey", path("server-key.pem")],
      ...[
        "--data-root",
        path("data"),
        "--exec-root",
        path("exec"),
        "--pidfile",
        path("pid"),
        "--bip",
        "172.31.250.1/24",
      ],
      ...["--config-file", path("daemon.json")],
    ];
    writeFileSync(path("daemon.json"), "{}");
    const script = `ip link set lo up; exec ${dockerd.map((word) => `'${word}'`).join(" ")} >'${path("log")}' 2>&1`;
    this.daemon = spawn("unshare", ["--net", "sh", "-c", script], { stdio: "ignore" });
    for (let tries = 60; tries > 0; tries--) {
      if ((await this.docker("version")).code === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    throw new Error(await succeed("tail", ["-n", "20", path("log")]));
  }

  /** Copies images from the first engine, as the namespace reaches no network. */
  async load(...images: string[]): Promise<void> {
    const tar = join(this.folder, "images.tar");
    await succeed("docker", ["save", "--output", tar, ...images]);
    const { code, output } = await this.docker("load", "--input", tar);
    if (code !== 0) throw new Error(output);
  }

  docker(...args: string[]) {
    const [command = "", ...rest] = [...this.beside, "docker", ...args];
    return run(command, rest, { env: { ...process.env, ...this.env } });
  }

  /** The authority, the engine's certificate and the client's, as docker-machine lays them out. */
  private issueCertificates(): void {
    const ca = issue({ commonName: "engine CA" });
    const server = issue({ commonName: "engine", names: "IP:127.0.0.1", issuer: ca });
    const client = issue({ commonName: "client", names: "DNS:client", issuer: ca });
    const machine = join(this.storage, "machines", this.machine);
    mkdirSync(machine, { recursive: true });
    for (const [path, content] of [
      [join(this.folder, "ca.pem"), ca.certificate],
      [join(this.folder, "server.pem"), server.certificate],
      [join(this.folder, "server-key.pem"), server.key],
      [join(machine, "ca.pem"), ca.certificate],
      [join(machine, "cert.pem"), client.certificate],
      [join(machine, "key.pem"), client.key],
      [join(machine, "config.json"), JSON.stringify({ Driver: { IPAddress: "127.0.0.1" } })],
    ] as const) {
      writeFileSync(path, content, { mode: 0o600 });
    }
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.daemon?.once("exit", resolve));
    this.daemon?.kill("SIGTERM");
    await ended;
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
