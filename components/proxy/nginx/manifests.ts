import { errorPage, refusals } from "./refusals.ts";
import { escapePattern, patternKey, quoted, renderMap } from "./text.ts";
import { renderForwarded, variableOf } from "./upstream.ts";

/** The headers that nginx would handle differently from the registry when it answers from the cache. */
const conditions = [
  ...["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"],
] as const;

/** The manifest types that the registry looks for in an Accept header; its answer depends on them. */
const acceptedTypes = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  list: "application/vnd.docker.distribution.manifest.list.v2+json",
} as const;

/**
 * The cache of the registry's answers about manifests, in memory. A key consists of the repository, the manifest, and
 * the result of the Accept header. A request whose Accept header has parameters or unusual white space goes to the
 * registry, so that its rules for these need not be repeated here. So does a request with conditions.
 *
 * Clients choose what they ask for, so the size of the cache is limited: there are keys for fewer than 2,000 answers,
 * no larger than most manifests, which take less than 40 of the 64 MB of /tmp.
 */
export function renderManifestCache(): string {
  const accepts = (kind: string) => `$accepts_${kind}`;
  const keyed = Object.keys(acceptedTypes).map(accepts).join("");
  return `\
${Object.entries(acceptedTypes)
  .map(([kind, type]) =>
    renderMap("$http_accept", accepts(kind), [
      [patternKey(`(?i)(?:.*,)?[ \\t]*${escapePattern(type)}[ \\t]*(?:,.*)?`), "+"],
      ["default", "-"],
    ]),
  )
  .join("")}
${renderMap(quoted(`${conditions.map(variableOf).join("")};$http_accept`), "$manifest_key", [
  [patternKey(";[ -:<-~\\t]*"), quoted(`${keyed} $repository`)],
])}
${renderMap(quoted("$tag_status $tag_digest"), "$tag_route", [
  [patternKey("REVALIDATED sha256:(?<shard>[0-9a-f]{2})(?<hex>[0-9a-f]{62})"), "@manifest"],
  ["default", "@registry"],
])}
${renderMap("$upstream_http_content_length", "$large", [
  [patternKey("\\d{1,4}|1[0-5]\\d{3}"), quoted("")],
  ["default", "1"],
])}
  proxy_cache_path /tmp/manifests keys_zone=manifests:256k max_size=24m inactive=12h use_temp_path=off;
`;
}

/**
 * A repository has a manifest if the registry has linked its revision there. Nothing about files is cached, so a
 * deleted manifest is gone at once, and the registry answers.
 *
 * For a tag, the registry is asked each time whether it still names the same manifest. If so, it answers 304 before it
 * reads the manifest, which then comes from the cache.
 */
export function renderManifestLocations(dataFolder: string): string {
  return `\
    location @manifest {
      root ${dataFolder}/docker/registry/v2;
      disable_symlinks on from=${dataFolder};
      if ($manifest_key = "") {
        return 418;
      }
      if (!-f $document_root/repositories/$repository/_manifests/revisions/sha256/$shard$hex/link) {
        return 418;
      }
      if (!-f $document_root/blobs/sha256/$shard/$shard$hex/data) {
        return 418;
      }
      # 500: two workers at a time want the last room for a key.
      error_page 418 500 = @registry;
      ${errorPage(500)}
      proxy_pass http://registry/v2/$repository/manifests/sha256:$shard$hex;
      proxy_buffering on;
      proxy_max_temp_file_size 0;
      proxy_cache manifests;
      proxy_cache_key "$manifest_key $shard$hex";
      proxy_ignore_headers X-Accel-Expires;
      proxy_cache_valid 200 12h;
      proxy_no_cache $large;
    }

    location @tag {
      if ($manifest_key = "") {
        return 418;
      }
      error_page 418 = @registry;
      ${errorPage()}
      auth_request /_tag;
      auth_request_set $tag_status $upstream_cache_status;
      auth_request_set $tag_digest $upstream_http_docker_content_digest;
      try_files /- $tag_route;
    }

    location = /_tag {
      internal;
      proxy_pass http://registry$request_uri;
      proxy_method HEAD;
      proxy_pass_request_body off;
${renderForwarded({ "Content-Length": quoted(""), Accept: "$http_accept", "User-Agent": "$http_user_agent" }, 6)}\
      proxy_buffering on;
      proxy_cache manifests;
      proxy_cache_key "$manifest_key:$tag";
      # The registry has each answer be out of date at once.
      proxy_cache_revalidate on;
      # Whatever else it says, it says to the client.
      proxy_intercept_errors on;
      error_page ${Object.keys(refusals).join(" ")} = @untold;
    }

    location @untold {
      return 204;
    }
`;
}
