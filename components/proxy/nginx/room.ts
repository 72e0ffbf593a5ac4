import { fullFile, stoppedFolder } from "../../care/keeper/layout.ts";
import { plainKey, quoted, renderMap } from "./text.ts";

export interface Room {
  /** Where the registry's data is. */
  readonly dataFolder: string;
  /** Whether a keeper watches the disk. */
  readonly isWatched: boolean;
}

/**
 * The file that is there if a write is refused, because the disk is full. An upload that has begun may go on, as what it
 * has written is lost otherwise, unless it was stopped itself.
 */
export function renderRoom({ dataFolder, isWatched }: Room): string {
  // What a keeper left that is there no more refuses nothing.
  if (!isWatched) return renderMap(quoted(""), "$refusing_file", [["default", "/-"]]);
  const full = `${dataFolder}/${fullFile}`;
  const stopped = quoted(`${dataFolder}/${stoppedFolder}/$upload`);
  return renderMap(quoted("$request_method $resource"), "$refusing_file", [
    [plainKey("POST uploads"), full],
    [plainKey("PUT manifest"), full],
    [plainKey("PATCH upload"), stopped],
    [plainKey("PUT upload"), stopped],
  ]);
}

/** Refuses a write without room. The location's route tells it from a write that the user may not do. */
export const refuseWithoutRoom = `if (-f $refusing_file) {
        return 403;
      }`;
