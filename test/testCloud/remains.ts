import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { endProcessesWith } from "../support/processes.ts";
import { run, succeed } from "../support/run.ts";

/**
 * What a cloud for tests has outside of its process: runs of Pulumi, containers, a network, loop devices, a folder, a DNS
 * server.
 */
export class Remains {
  readonly folder: string;
  /** The Docker label of its containers and its network. */
  readonly label: string;
  readonly name: string;

  constructor(name: string) {
    this.name = name;
    this.folder = join(tmpdir(), name);
    this.label = `private-registry.test-cloud=${name}`;
  }

  /** Records the owner: those of a killed process are nobody's. */
  sign(): void {
    writeFileSync(join(this.folder, "owner"), `${String(process.pid)} ${beginOf(String(process.pid))}`);
  }

  /** Those of killed processes. */
  static nobodys(): Remains[] {
    return readdirSync(tmpdir())
      .filter((name) => name.startsWith("test-cloud-"))
      .map((name) => new Remains(name))
      .filter(({ folder }) => {
        const [pid = "", begin = ""] = read(join(folder, "owner")).split(" ");
        return begin !== "" && beginOf(pid) !== begin;
      });
  }

  async remove(): Promise<void> {
    // Runs that use it, and the plugins that a killed one leaves: the plugins' folder is in their environment.
    endProcessesWith(`PULUMI_HOME=${this.folder}/`);
    this.endServer();
    const listed = (kind: readonly string[]) =>
      succeed("docker", [...kind, "--quiet", "--filter", `label=${this.label}`]).then(wordsOf);
    const containers = await listed(["ps", "--all"]);
    if (containers.length > 0) await succeed("docker", ["rm", "--force", "--volumes", ...containers]);
    const networks = await listed(["network", "ls"]);
    if (networks.length > 0) await succeed("docker", ["network", "rm", ...networks]);
    const devices = await run("losetup", ["--list", "--noheadings", "--output", "NAME,BACK-FILE"]);
    for (const line of devices.stdout.split("\n").filter((each) => each.includes(`${this.folder}/`)))
      await run("losetup", ["--detach", line.split(" ")[0] ?? ""]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The DNS server, unless another process has its number by now. */
  private endServer(): void {
    const pid = read(join(this.folder, "dnsmasq.pid"));
    if (pid !== "" && read(`/proc/${pid}/cmdline`).includes(this.folder)) process.kill(Number(pid), "SIGTERM");
  }
}

/** When a process began, as another one may have its number by now; undefined if it has ended. */
function beginOf(pid: string): string {
  return (
    read(join("/proc", pid, "stat"))
      .replace(/.*\) /, "")
      .split(" ")[19] ?? ""
  );
}

function read(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8").trim() : "";
}

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
