import { fullFile, stoppedFolder } from "../../care/keeper/layout.ts";
import { plainKey, quoted, renderMap } from "./text.ts";

/**
 * The file that is there if a write is refused, because the disk is full. An upload that has begun may go on, as what it
 * has written is lost otherwise, unless it was stopped itself.
 */
export function renderRoom(dataFolder: string): string {
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
