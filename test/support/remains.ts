import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { endProcessesWith } from "./processes.ts";
import { run, succeed } from "./run.ts";

/**
 * A file for each checkout of a test that is not removed yet. Its name says whose it is: `PID.STACK.FOLDER`. Without
 * such a file nothing is removed, whatever its name in Docker.
 */
const notes = join(tmpdir(), "private-registry-tests");

/** What a checkout of a test has: its folder, the processes in it, and Docker's resources under its stack's name. */
export class Remains {
  readonly folder: string;
  private readonly stack: string;
  private readonly pid: number;

  constructor(folder: string, stack: string, pid = process.pid) {
    this.folder = folder;
    this.stack = stack;
    this.pid = pid;
  }

  private static all(): Remains[] {
    return entriesOf(notes).map((name) => {
      const [pid = "", stack = "", folder = ""] = name.split(".");
      return new Remains(join(tmpdir(), folder), stack, Number(pid));
    });
  }

  /** Those of tests of this process. */
  static own(): Remains[] {
    return Remains.all().filter(({ pid }) => pid === process.pid);
  }

  /** Those of processes that have ended, so that nobody else removes them. */
  static nobodys(): Remains[] {
    return Remains.all().filter(({ pid }) => !isAlive(pid));
  }

  private get note(): string {
    return join(notes, [this.pid, this.stack, basename(this.folder)].join("."));
  }

  /** Records that they exist, and whose they are. */
  sign(): void {
    mkdirSync(notes, { recursive: true });
    writeFileSync(this.note, "");
  }

  containers(): Promise<string[]> {
    return this.listed("ps", "--all", "--format", "{{.Names}}");
  }

  networks(): Promise<string[]> {
    return this.listed("network", "ls", "--format", "{{.Name}}");
  }

  volumes(): Promise<string[]> {
    return this.listed("volume", "ls", "--format", "{{.Name}}");
  }

  private async listed(...list: string[]): Promise<string[]> {
    const names = await succeed("docker", [...list, "--filter", `name=private-registry-${this.stack}`]);
    return names.split("\n").filter((name) => name !== "");
  }

  /** The last log lines of its containers, for a failed test. */
  lastWords(): string {
    const docker = (...args: string[]) => {
      const { stdout, stderr } = spawnSync("docker", args, { encoding: "utf8" });
      return stdout + stderr;
    };
    const filter = ["--filter", `name=private-registry-${this.stack}`];
    return docker("ps", "--all", ...filter, "--format", "{{.Names}} ({{.Status}})")
      .split("\n")
      .slice(0, -1)
      .map((line) => `--- ${line}\n${docker("logs", "--tail", "50", line.split(" ")[0] ?? "")}`)
      .join("");
  }

  /** Removes all of it, whatever state a failed or killed test left it in. */
  async remove(): Promise<void> {
    // Processes that a killed run left, known by the state that their environment names.
    endProcessesWith(`file://${this.folder}/.state`);
    for (const [command, names] of [
      [["rm", "--force", "--volumes"], await this.containers()],
      [["network", "rm"], await this.networks()],
      [["volume", "rm", "--force"], await this.volumes()],
    ] as const)
      if (names.length > 0) await run("docker", [...command, ...names]);
    this.forget();
  }

  /** Only the folder: nothing else exists. */
  forget(): void {
    rmSync(this.folder, { recursive: true, force: true });
    rmSync(this.note, { force: true });
  }
}

/** One that has ended may be listed until its parent asks for it. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  const stat = join("/proc", String(pid), "stat");
  return !existsSync(stat) || !readFileSync(stat, "utf8").includes(") Z ");
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
