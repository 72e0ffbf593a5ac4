import { errorPage } from "./refusals.ts";
import { patternKey, quoted, renderMap } from "./text.ts";

/**
 * Whether a blob satisfies If-Match and If-None-Match. Its ETag is its digest, but nginx would compare with its own
 * ETag and with the date of a file that never changes. Requests that nginx would answer wrongly set `$conditional` and
 * go to the registry, whose blobs have no date.
 */
export function renderPreconditions(): string {
  const tag = '(?:W/)?"[^"]*"';
  const among = (spelled: string) =>
    `(\\w*) \\s*(?:\\*|(?:${tag}\\s*,\\s*)*${spelled}"sha256:\\1"(?:\\s*,\\s*${tag})*)\\s*`;
  return `\
${renderMap(quoted("$shard$hex $http_if_match"), "$if_match", [
  [patternKey("\\w* "), quoted("")],
  [patternKey(among("")), "met"],
  ["default", "failed"],
])}
${renderMap(quoted("$shard$hex $http_if_none_match"), "$if_none_match", [[patternKey(among("(?:W/)?")), "failed"]])}
${renderMap(quoted("$if_match$if_none_match$http_if_unmodified_since"), "$conditional", [
  [quoted(""), quoted("")],
  ["default", "1"],
])}`;
}

/**
 * Where a blob is looked for. Who looks before a push is to push it again if its link is condemned: its owner may execute
 * it, see components/care/keeper/layout.ts. Pulls go on, and need not be asked about.
 */
function renderSoughtLocation(dataFolder: string): string {
  return `\
    location @sought {
      if (-x ${dataFolder}/docker/registry/v2/repositories/$repository/_layers/sha256/$shard$hex/link) {
        return 404;
      }
      try_files /- @blob;
    }
`;
}

/**
 * A repository has a blob if the registry has linked it there. A request for a missing blob is not passed to the
 * registry, which would follow a symbolic link anywhere.
 */
export function renderBlobLocations(dataFolder: string): string {
  const data = "/blobs/sha256/$shard/$shard$hex/data";
  return `\
${renderSoughtLocation(dataFolder)}
    location @blob {
      root ${dataFolder}/docker/registry/v2;
      disable_symlinks on from=${dataFolder};
      if (!-f $document_root/repositories/$repository/_layers/sha256/$shard$hex/link) {
        return 404;
      }
      if (!-f $document_root${data}) {
        return 404;
      }
      if ($if_match = failed) {
        return 412;
      }
      if ($conditional) {
        return 418;
      }
      rewrite ^ ${data} break;
      if_modified_since before;
      error_page 418 = @conditional_blob;
      # What may not be read is for whoever runs the proxy to know.
      error_page 403 =500 @refusal;
      error_page 416 @out_of_range;
      ${errorPage(403, 416)}
      etag off;
      add_header_inherit merge;
      add_header Docker-Content-Digest sha256:$shard$hex;
      add_header ETag '"sha256:$shard$hex"';
      add_header Cache-Control max-age=31536000;
      add_header X-Content-Type-Options nosniff;
    }

    # A range beyond the end the registry would refuse in plain text.
    location @conditional_blob {
      proxy_intercept_errors on;
      proxy_pass http://registry;
    }

    # By the time that a range turns out to be beyond the end, the headers have been added already.
    location @out_of_range {
      default_type application/json;
      add_header_inherit off;
      return 200 $refusal;
    }
`;
}
