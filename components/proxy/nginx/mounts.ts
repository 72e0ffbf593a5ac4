import { condemnedFile } from "../../care/keeper/layout.ts";
import { errorPage } from "./refusals.ts";
import { refuseWithoutRoom } from "./room.ts";
import { patternKey, quoted, renderMap } from "./text.ts";

/** The part of a blob's path that the query of a mount names. */
export function renderMounted(): string {
  const digest = "sha256(?::|%3[Aa])(?<mount_shard>[0-9a-f]{2})(?<mount_hex>[0-9a-f]{62})";
  return renderMap("$args", "$mounted", [
    [patternKey(`(?:.*&)?mount=${digest}(?:&.*)?`), quoted("$mount_shard/$mount_shard$mount_hex")],
  ]);
}

/** A mount of a condemned blob becomes a normal upload: so the API treats a failed mount. */
export function renderMountLocation(dataFolder: string): string {
  return `\
    location @mount {
      ${refuseWithoutRoom}
      if (-f ${dataFolder}/docker/registry/v2/blobs/sha256/$mounted/${condemnedFile}) {
        return 418;
      }
      error_page 418 = @upload;
      ${errorPage()}
      proxy_pass http://registry;
    }
`;
}
