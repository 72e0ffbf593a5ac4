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

  /** What is to be done to the file of the next disk that is made, for content that was there before. */
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
   * Takes the block device away. A machine that goes on using it, as after a surprise removal, is left with a copy of
   * its own, and can't spoil what the next machine finds.
   */
  async close(): Promise<void> {
    if (this.device === undefined) return;
    await succeed("losetup", ["--detach", this.device]);
    this.device = undefined;
    // Of a container that has just ended, the kernel unmounts what it had by and by.
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
