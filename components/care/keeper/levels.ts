/** How full the disk of the data is. Each level includes those before it. */
export type Level = "ok" | "warning" | "stop" | "last";

const levels: readonly Level[] = ["ok", "warning", "stop", "last"];

export interface Limits {
  /** From how much used, in percent, whoever runs the registry is to know. */
  readonly warning: number;
  /** From how much used, in percent, new pushes are refused. */
  readonly stop: number;
  /** Below how many free bytes pushes under way are stopped, too. At most half of what is free at `stop`. */
  readonly last: number;
}

export const defaultLimits: Limits = { warning: 80, stop: 90, last: 2 ** 30 };

/** What the registry can use, whatever it is measured in, and how much of that is left. */
export interface Room {
  readonly all: number;
  readonly free: number;
}

export interface Disk {
  readonly bytes: Room;
  /** A file system may run out of these first. None: it has no such limit. */
  readonly files: Room;
}

/** A level ends when there is this much more room than where it begins, or it would begin again with the next upload. */
const slack = { percent: 2, share: 1.25 } as const;

/** How much of the disk is used, in percent. */
export function usedOf({ bytes, files }: Disk): number {
  return Math.max(...[bytes, files].map(({ all, free }) => (all > 0 ? 100 * (1 - free / all) : 0)));
}

/** @param before The level so far. */
export function levelOf(disk: Disk, limits: Limits, before: Level): Level {
  const used = usedOf(disk);
  const isUsed = (level: "warning" | "stop") => used >= limits[level] - (isAtLeast(before, level) ? slack.percent : 0);
  if (disk.bytes.free < lastOf(disk, limits) * (before === "last" ? slack.share : 1)) return "last";
  if (isUsed("stop")) return "stop";
  return isUsed("warning") ? "warning" : "ok";
}

export function isAtLeast(level: Level, other: Level): boolean {
  return levels.indexOf(level) >= levels.indexOf(other);
}

/** A small disk has not the usual last level free at all, or not after the stop level. */
function lastOf({ bytes }: Disk, { stop, last }: Limits): number {
  return Math.min(last, (bytes.all * (1 - stop / 100)) / 2);
}

/** The uploads to stop, the largest first, until the last level is over. */
export function uploadsToStop<Upload extends { readonly bytes: number }>(
  disk: Disk,
  limits: Limits,
  uploads: readonly Upload[],
): Upload[] {
  let { free } = disk.bytes;
  const end = lastOf(disk, limits) * slack.share;
  return uploads
    .filter(({ bytes }) => bytes > 0)
    .sort((one, other) => other.bytes - one.bytes)
    .filter(({ bytes }) => {
      const isNeeded = free < end;
      if (isNeeded) free += bytes;
      return isNeeded;
    });
}

/** Hardly any disk is written to faster, in bytes per millisecond. */
const fastest = 4 * 2 ** 20;

/** How long nobody need look at the disk, in milliseconds: it can't get full meanwhile. At most a second. */
export function pauseAt({ bytes }: Disk): number {
  return Math.min(1000, Math.max(20, bytes.free / fastest));
}
