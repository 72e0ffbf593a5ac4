import { rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { run, succeed } from "../support/run.ts";

const gibibyte = 1024 ** 3;

/** The disks of a cloud: sparse files, which outlive every machine, behind loop devices. */
export class Disks {
  private prepare: ((file: string) => Promise<void>) | undefined;
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Called with the file of the next new disk, to give it earlier content. */
  preload(prepare: (file: string) => Promise<void>): void {
    this.prepare = prepare;
  }

  async create(name: string, gibibytes: number): Promise<Disk> {
    const disk = new Disk(join(this.folder, `disk-${name}`));
    writeFileSync(disk.file, "");
    truncateSync(disk.file, gibibytes * gibibyte);
    const { prepare } = this;
    this.prepare = undefined;
    await prepare?.(disk.file);
    return disk;
  }

  async remove(disk: Disk): Promise<void> {
    await disk.close();
    rmSync(disk.file, { force: true });
  }
}

export class Disk {
  private device: string | undefined;
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  /** The minor number of its block device: the N of `/dev/loopN`. */
  get minor(): number {
    return Number(/\d+$/.exec(this.device ?? "")?.[0]);
  }

  /** Gives it a block device of its own. */
  async open(): Promise<void> {
    const { code, output } = await run("losetup", ["--find", "--show", this.file]);
    if (code !== 0) throw new Error(`No loop device can be had here, which takes root and the loop module: ${output}`);
    this.device = output.trim();
  }

  /**
   * Removes the block device. A machine that still uses it, as after a surprise removal, keeps its own
   * copy, and can't damage what the next machine finds.
   */
  async close(): Promise<void> {
    if (this.device === undefined) return;
    await succeed("losetup", ["--detach", this.device]);
    this.device = undefined;
    // The kernel takes some time to unmount what a just-ended container had.
    for (let tries = 0; tries < 40 && (await this.isInUse()); tries++) await sleep(50);
    if (!(await this.isInUse())) return;
    const copy = `${this.file}.copy`;
    await succeed("cp", ["--sparse=always", this.file, copy]);
    await succeed("mv", [copy, this.file]);
  }

  private async isInUse(): Promise<boolean> {
    return (await succeed("losetup", ["--associated", this.file])).trim() !== "";
  }

  async grow(gibibytes: number): Promise<void> {
    truncateSync(this.file, gibibytes * gibibyte);
    if (this.device !== undefined) await succeed("losetup", ["--set-capacity", this.device]);
  }
}
