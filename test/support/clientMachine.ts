import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { type Result, run, succeed } from "./run.ts";

/** Addresses for documentation, which are nobody's. */
const ends = { here: "198.51.100.1", there: "198.51.100.2" };

/** Its own folders. They begin as this machine's. */
const own = ["/etc", "/usr/local/share"];

/**
 * A machine of clients, as far as they can tell: with its own /etc and store of authorities, its own Docker engine and
 * containerd, and a cable to this machine. Needs root.
 */
export class ClientMachine {
  private readonly folder = mkdtempSync(join(tmpdir(), "clients-"));
  private readonly daemons: ChildProcess[] = [];
  private namespace: ChildProcess | undefined;
  private buildkit: ChildProcess | undefined;

  /** The path of a file in a folder that is no part of its own ones. */
  path(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  /** @param hostname What this machine is called there. */
  async start(hostname: string): Promise<void> {
    mkdirSync(this.path("home"));
    const overlays = own.map((folder, i) => {
      const [upper, work] = ["upper", "work"].map((kind) => this.path(`${kind}-${String(i)}`)) as [string, string];
      for (const each of [upper, work]) mkdirSync(each);
      return `mount -t overlay overlay -o lowerdir=${folder},upperdir=${upper},workdir=${work} ${folder}`;
    });
    const script = ["ip link set lo up", ...overlays, "echo ready", "exec sleep 3600"].join(" && ");
    const unshare = ["--mount", "--net", "sh", "-c", script];
    this.namespace = spawn("unshare", unshare, { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => this.namespace?.stdout?.once("data", resolve));
    await this.connect();
    await this.succeed("sh", ["-c", 'echo "$1" >>/etc/hosts', "-", `${ends.here} ${hostname}`]);
  }

  /** Lays a cable between the two. It goes with its end there. */
  private async connect(): Promise<void> {
    const pid = String(this.namespace?.pid);
    const here = `clients${pid}`.slice(0, 15);
    await succeed("ip", ["link", "add", here, "type", "veth", "peer", "name", "eth0", "netns", pid]);
    await succeed("ip", ["addr", "add", `${ends.here}/30`, "dev", here]);
    await succeed("ip", ["link", "set", here, "up"]);
    await this.succeed("ip", ["addr", "add", `${ends.there}/30`, "dev", "eth0"]);
    await this.succeed("ip", ["link", "set", "eth0", "up"]);
  }

  /** Runs a command there. */
  run(command: string, args: readonly string[], input = ""): Promise<Result> {
    const env = { ...process.env, HOME: this.path("home"), DOCKER_CONFIG: this.path("docker-client") };
    return run("nsenter", [...this.inside, command, ...args], { env, input, cwd: this.folder });
  }

  /** The same, which must succeed; returns its output. */
  async succeed(command: string, args: readonly string[], input = ""): Promise<string> {
    const { code, output } = await this.run(command, args, input);
    if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${String(code)}:\n${output}`);
    return output;
  }

  /** Starts a Docker engine there; `docker --host` takes what is returned. */
  async startDocker(): Promise<string> {
    const socket = `unix://${this.path("docker.sock")}`;
    writeFileSync(this.path("daemon.json"), "{}");
    const own = ["data-root", "exec-root", "pidfile", "config-file"].map((option) =>
      option === "config-file" ? `--config-file=${this.path("daemon.json")}` : `--${option}=${this.path(option)}`,
    );
    const network = ["--bridge=none", "--iptables=false", "--ip-forward=false"];
    this.daemon("dockerd", ["--host", socket, ...own, ...network, "--storage-driver=vfs"]);
    await this.until("docker", ["--host", socket, "version"]);
    return socket;
  }

  /** Starts containerd there; `ctr --address` takes what is returned. */
  async startContainerd(): Promise<string> {
    const socket = this.path("containerd.sock");
    writeFileSync(
      this.path("containerd.toml"),
      `version = 2
root = "${this.path("containerd")}"
state = "${this.path("containerd-state")}"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.grpc.v1.cri"]
[grpc]
  address = "${socket}"
`,
    );
    this.daemon("containerd", ["--config", this.path("containerd.toml")]);
    await this.until("ctr", ["--address", socket, "version"]);
    return socket;
  }

  /**
   * Starts BuildKit there, or starts it again; `buildctl --addr` takes what is returned.
   *
   * @param program The path of its daemon.
   */
  async startBuildkit(program: string): Promise<string> {
    await end(this.buildkit);
    const socket = `unix://${this.path("buildkit.sock")}`;
    // The snapshotter that mounts nothing, and no part of the system that others use too.
    const own = ["--root", this.path("buildkit"), "--otel-socket-path", this.path("buildkit-otel.sock")];
    const worker = ["--oci-worker-snapshotter", "native", "--oci-worker-net", "host", "--containerd-worker", "false"];
    this.buildkit = this.daemon(program, ["--addr", socket, ...own, ...worker]);
    await this.until(join(dirname(program), "buildctl"), ["--addr", socket, "debug", "workers"]);
    return socket;
  }

  private daemon(command: string, args: readonly string[]): ChildProcess {
    const daemon = spawn("nsenter", [...this.inside, command, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    const keep = (chunk: Buffer) => {
      appendFileSync(this.path("log"), chunk);
    };
    daemon.stdout.on("data", keep);
    daemon.stderr.on("data", keep);
    this.daemons.push(daemon);
    return daemon;
  }

  private async until(command: string, args: readonly string[]): Promise<void> {
    for (let tries = 60; tries > 0; tries--) {
      if ((await this.run(command, args)).code === 0) return;
      await sleep(500);
    }
    throw new Error(await succeed("tail", ["-n", "20", this.path("log")]));
  }

  private get inside(): string[] {
    const spaces = `/proc/${String(this.namespace?.pid)}/ns`;
    return [`--mount=${spaces}/mnt`, `--net=${spaces}/net`];
  }

  async dispose(): Promise<void> {
    await Promise.all(this.daemons.map((daemon) => end(daemon)));
    await end(this.namespace, "SIGKILL");
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Ends a process, unless it has ended, and waits for that. */
async function end(child: ChildProcess | undefined, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  if (child?.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await ended;
}
