import { type Access, exactKeys, renderAccess } from "./access.ts";
import { escapePattern, patternKey, plainKey, quoted, renderMap } from "./text.ts";

/** How much a client may ask of the proxy. */
export interface ProxyLimits {
  /**
   * How many passwords an address may try per minute, and at once, that are not known to be right, 1 to 40. A first
   * right one counts as well. All addresses together have 60 per minute and 45 at once, more than any one of them.
   */
  readonly guessesPerMinute: number;
  /** The largest body of one request, as nginx writes sizes: `10g`. Default: any. */
  readonly maxUploadSize?: string | undefined;
}

export interface NginxConf extends Access, ProxyLimits {
  /** The name that clients type. */
  readonly serverName: string;
  /** The TCP ports inside the container, all alike; unprivileged. */
  readonly ports: readonly number[];
  /** The TCP ports inside the container where nobody has to sign in; none where there is no such endpoint. */
  readonly anonymousPorts: readonly number[];
  /** The TCP port, on the container's own loopback, that tells which generation is served and whether the registry answers. */
  readonly statusPort: number;
  /** The registry on the private network: `host:port`. */
  readonly registry: string;
  /** Where the registry's files can be read, for blobs. Default: nowhere, and blobs come from the registry too. */
  readonly dataFolder?: string | undefined;
  /** By user, a word that changes with the password. */
  readonly passwordGenerations: Readonly<Record<string, string>>;
  /** Names this configuration, so that a reload can be seen to have happened. Letters and digits. */
  readonly generation: string;
}

/** The files that lie beside `nginx.conf`. Certificate and key bear the names that the 2015 proxy image gave them. */
export const configFiles = {
  conf: "nginx.conf",
  certificate: "docker-registry.crt",
  key: "docker-registry.key",
  htpasswd: ".htpasswd",
} as const;

/** The statuses that the proxy itself answers with; each in the words of the registry's API. */
const refusals = {
  400: ["UNSUPPORTED", "the request is malformed, or was meant for a port without TLS"],
  401: ["UNAUTHORIZED", "a user name and its password are needed"],
  403: ["DENIED", "as $role you may not $deed$repository$by_rule"],
  404: ["NAME_INVALID", "not a path of the registry API, or not in its canonical spelling"],
  405: ["UNSUPPORTED", "$request_method is not supported here"],
  408: ["UNSUPPORTED", "the request did not come in time; try again"],
  411: ["UNSUPPORTED", "the length of the body is missing"],
  412: ["PRECONDITION_FAILED", "what is here is not what the request is to be about"],
  413: ["SIZE_INVALID", "larger than this registry takes in one request"],
  416: ["RANGE_INVALID", "the range is not within the blob"],
  429: ["TOOMANYREQUESTS", "too many wrong passwords; try again later"],
  500: ["UNKNOWN", "the proxy failed; its log says why"],
  502: ["UNAVAILABLE", "the registry does not answer; try again"],
  503: ["UNAVAILABLE", "the registry does not answer; try again"],
  504: ["UNAVAILABLE", "the registry does not answer in time; try again"],
  507: ["UNAVAILABLE", "the proxy has no room left"],
} as const;

/** The same for what could not be read as a request. */
const malformed = {
  414: ["UNSUPPORTED", "the request line is too long"],
  421: ["UNSUPPORTED", "the request was meant for another host"],
  431: ["UNSUPPORTED", "the headers are too long"],
  501: ["UNSUPPORTED", "the request is encoded in a way that is not supported"],
  505: ["UNSUPPORTED", "the request is of a version of HTTP that is not supported"],
} as const;

const passwordSocket = "unix:/tmp/passwords.sock";

/** Who is asked about in place of a name that is no user's. No user has this name, as it is a control character. */
const decoy = "\u0001";

/** One line for each user, and one for the decoy: of the same cost as theirs, and of no password that anybody knows. */
export function renderHtpasswd(hashes: Readonly<Record<string, string>>): string {
  const [costly = ""] = Object.values(hashes);
  const prefix = costly.slice(0, "$2y$10$".length);
  return Object.entries({ ...hashes, [decoy]: prefix + ".".repeat(53) })
    .map(([name, hash]) => `${name}:${hash}\n`)
    .join("");
}

/** Of TLS 1.2. */
const ciphers = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"].flatMap((cipher) => [
  `ECDHE-ECDSA-${cipher}`,
  `ECDHE-RSA-${cipher}`,
]);

/**
 * The proxy's configuration. Relative paths are those of the folder that it lies in, so that the same text can be
 * checked in one place and served from another. The root file system is read-only; /tmp is memory.
 */
export function renderNginxConf(conf: NginxConf): string {
  return `\
worker_processes auto;
pid /tmp/nginx.pid;
pcre_jit on;
error_log stderr warn;
# Why a configuration was not taken up, for whoever loaded it.
error_log /tmp/refused.log emerg;

events {
  worker_connections 4096;
}

http {
  client_body_temp_path /tmp/client_body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;

  server_tokens off;
  default_type application/octet-stream;
  map_hash_bucket_size 1024;
  map_hash_max_size 16384;

${renderLog()}
${renderPasswords(conf)}
${renderAccess(conf)}
${renderRefusals()}
${renderUpstream(conf)}
${conf.dataFolder === undefined ? "" : renderManifestCache()}${renderConnections(conf)}
  # For the container's own health check and for whoever loads a configuration.
  server {
    listen 127.0.0.1:${String(conf.statusPort)};
    access_log off;
    location = /generation {
      default_type text/plain;
      return 200 ${conf.generation};
    }
    location = /ready {
      proxy_pass http://registry/;
    }
  }

  server {
${renderListen(conf.ports)}
    server_name ${conf.serverName};

    location /v2/ {
      ${refuseControlCharacters}
      auth_request /_sign_in;
      auth_request_set $signed_in $upstream_http_signed_in;
      error_page 403 = @throttled;
      ${errorPage(403)}
      # No file has this name: $route answers, now that $user is known, which \`if\` or \`return\` would not wait for.
      try_files /- $route;
    }

    # Asked about every request, it asks on about those only that it has not seen to be right.
    location = /_sign_in {
      internal;
      proxy_pass http://passwords;
      proxy_pass_request_body off;
      proxy_pass_request_headers off;
      # Or the next request on that connection would be taken for a body.
      proxy_set_header Content-Length "";
      # A name that is nobody's costs as much as one that is somebody's.
      proxy_set_header Authorization $checked_authorization;
      proxy_set_header Client $remote_addr;
      proxy_buffering on;
      proxy_cache passwords;
      # What was right stays right until the password changes, and then the key is another.
      proxy_cache_key "$password_generation $http_authorization";
      proxy_cache_valid 204 365d;
      proxy_cache_bypass $no_password;
      # Many requests that begin with the same password have it checked once.
      proxy_cache_lock on;
      open_file_cache max=1024 inactive=10m;
      open_file_cache_valid 10m;
    }

    location @throttled {
      return 429;
    }

${renderRoutes(conf)}  }
${conf.anonymousPorts.length === 0 ? "" : renderAnonymousServer(conf)}}
`;
}

function renderLog(): string {
  return `\
${renderMap("$signed_in", "$user", [[plainKey("yes"), "$remote_user"]])}
  # As it was sent; a query may hold the state of an upload.
${renderMap("$request_uri", "$path", [[quoted("~^(?<before_query>[^?]*)"), "$before_query"]])}
  log_format requests escape=json
    '{"time":"$time_iso8601","client":"$remote_addr","user":"$user","action":"$action","repository":"$repository",'
    '"method":"$request_method","path":"$path","status":$status,"sent":$bytes_sent,"received":$request_length,'
    '"seconds":$request_time}';
  # What is written at once by one process stays whole up to 4 KiB.
  access_log /dev/stdout requests buffer=4k flush=1s;
`;
}

/**
 * The server that checks passwords, at about 60 ms of a core each. The cache before it is in memory only, as its keys
 * hold passwords. It answers a throttled guess with 403, as everything but 401 and 403 becomes 500 on its way.
 */
function renderPasswords({ users, passwordGenerations, guessesPerMinute, generation }: NginxConf): string {
  const keyOf = exactKeys(users.map(({ name }) => name));
  return `\
${renderMap(
  "$remote_user",
  "$password_generation",
  users.map(({ name }) => [keyOf("", name), passwordGenerations[name] ?? ""]),
)}
${renderMap("$remote_user", "$checked_authorization", [
  ["default", quoted(`Basic ${Buffer.from(`${decoy}:`).toString("base64")}`)],
  [quoted(""), "$http_authorization"],
  ...users.map(({ name }) => [patternKey(escapePattern(name)), "$http_authorization"] as const),
])}
${renderMap("$http_authorization", "$no_password", [[quoted(""), "1"]])}
${renderMap("$http_authorization", "$guess", [
  [quoted(""), quoted("")],
  ["default", "guess"],
])}
${renderMap("$http_authorization", "$guesser", [
  [quoted(""), quoted("")],
  ["default", "$http_client"],
])}
  proxy_cache_path /tmp/passwords keys_zone=passwords:1m max_size=16m inactive=12h use_temp_path=off;
  limit_req_zone $guesser zone=guesser:4m rate=${String(guessesPerMinute)}r/m;
  limit_req_zone $guess zone=guesses:32k rate=60r/m;
  limit_req_log_level info;

  upstream passwords {
    server ${passwordSocket};
    keepalive 8;
  }

  server {
    listen ${passwordSocket};
    access_log off;
    # The lower levels name whom a wrong password was for, or the password, where somebody took one field for the other.
    error_log stderr crit;

    location / {
      limit_req zone=guesser burst=${String(guessesPerMinute)} nodelay;
      limit_req zone=guesses burst=45 delay=30;
      limit_req_status 403;
      auth_basic "private registry";
      # It is opened again and again: by way of \`current\`, it could be another generation's.
      auth_basic_user_file ../${generation}/${configFiles.htpasswd};
      try_files /- @right;
    }

    location @right {
      add_header Signed-In yes;
      return 204;
    }
  }
`;
}

function renderRefusals(): string {
  const json = ([code, message]: readonly [string, string]) =>
    `'{"errors":[{"code":"${code}","message":"${message}","detail":null}]}'`;
  return `\
${renderMap(quoted("$status $route"), "$refusal", [
  [plainKey("404 @blob"), json(["BLOB_UNKNOWN", "the repository has no such blob"])],
  ...Object.entries({ ...malformed, ...refusals }).map(
    ([status, refusal]) => [patternKey(`${status} .*`), json(refusal)] as const,
  ),
])}
${renderMap("$action", "$deed", [
  ["pull", quoted("pull from ")],
  ["push", quoted("push to ")],
  ["delete", quoted("delete from ")],
  ["catalog", quoted("list the catalog")],
])}
${renderMap(quoted("$role $action $listed"), "$by_rule", [
  [patternKey("(?:reader pull|writer \\w+) unlisted"), quoted(", by the rule for $rule")],
])}
${renderMap("$status", "$retry_after", [["429", "10"]])}
  # 403 by way of @throttled or @denied, then the words of @refusal.
  recursive_error_pages on;
`;
}

/** @param except The statuses that are dealt with otherwise in this place. */
function errorPage(...except: readonly number[]): string {
  const statuses = Object.keys(refusals).filter((status) => !except.includes(Number(status)));
  return `error_page ${statuses.join(" ")} @refusal;`;
}

/** What the registry reads of a client's headers, beside those about the body. */
const forwardedHeaders = [
  ...["Accept", "Content-Range", "If-Modified-Since", "If-None-Match", "If-Range", "Range", "User-Agent"],
] as const;

const refuseControlCharacters = `if ($control_character) {
        return 400;
      }`;

function variableOf(header: string): string {
  return `$http_${header.toLowerCase().replaceAll("-", "_")}`;
}

/** What the registry is sent in one place: the headers that it always needs, and some more. */
function renderForwarded(more: Readonly<Record<string, string>>, indent = 2): string {
  const headers = {
    Connection: quoted(""),
    // With its port, or the registry sends uploads to a wrong place.
    Host: "$asked_host",
    "X-Forwarded-Proto": "$scheme",
    "X-Forwarded-For": "$remote_addr",
    ...more,
  };
  return Object.entries(headers)
    .map(([header, value]) => `${" ".repeat(indent)}proxy_set_header ${header} ${value};\n`)
    .join("");
}

function renderUpstream({ registry, serverName }: NginxConf): string {
  return `\
  # The registry may come back under another address: its name is asked for again.
  resolver 127.0.0.11 valid=5s ipv6=off;
  upstream registry {
    zone registry 64k;
    server ${registry} resolve;
    keepalive 32;
  }
  # HTTP/1.0 may come without, and the registry would refuse it in plain text.
${renderMap("$http_host", "$asked_host", [
  [quoted(""), quoted(serverName)],
  ["default", "$http_host"],
])}
  # The registry would take a mount out of a form, whose type has more spellings than can be told.
${renderMap(quoted("$resource $content_type"), "$forwarded_type", [
  [patternKey("manifest .*"), "$content_type"],
  [patternKey("upload application/octet-stream"), "$content_type"],
])}
  # The registry would refuse these in plain text.
${renderMap(quoted(["$content_type", ...forwardedHeaders.map(variableOf)].join("")), "$control_character", [
  [patternKey(".*[\\x01-\\x08\\x0a-\\x1f\\x7f].*"), "1"],
])}
  proxy_http_version 1.1;
  # Nothing of what a client says but this: no password, and no precondition that is decided here.
  proxy_pass_request_headers off;
${renderForwarded({
  "Content-Type": "$forwarded_type",
  ...Object.fromEntries(forwardedHeaders.map((header) => [header, variableOf(header)])),
})}\
  proxy_socket_keepalive on;
  # Images are as large as they are, and pass through as they come.
  proxy_request_buffering off;
  proxy_buffering off;
  proxy_read_timeout 900s;
  proxy_send_timeout 900s;

  # The registry sends this too; clients are to see it once.
  proxy_hide_header Docker-Distribution-Api-Version;
  add_header Docker-Distribution-Api-Version registry/2.0 always;
`;
}

/** What nginx would judge of a cached answer, or cut out of it, otherwise than the registry. */
const conditions = [
  ...["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"],
] as const;

/** The types of manifest that the registry looks for in an Accept header: without them it has another answer, or none. */
const acceptedTypes = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  list: "application/vnd.docker.distribution.manifest.list.v2+json",
} as const;

/**
 * The registry's answers about manifests, in memory. A key has the repository, what is asked for, and what the Accept header
 * comes to. What the registry makes of parameters there, and of other spaces than these, nobody need know: a request with
 * them goes to the registry, as one with conditions does.
 *
 * Clients choose what is asked for, so all that they can fill is bounded: the keys have room for fewer than 2,000 answers,
 * none of them larger than most manifests are, and so less than 40 MB of /tmp's 64 are taken.
 */
function renderManifestCache(): string {
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

/** HTTP/2 stays off: registry clients do without it, and nginx reads an upload from a distance far slower by it. */
function renderConnections({ maxUploadSize = "0" }: NginxConf): string {
  return `\
  ssl_certificate ${configFiles.certificate};
  ssl_certificate_key ${configFiles.key};
  ssl_protocols TLSv1.2 TLSv1.3;
  # The cheapest of those that are strong; ChaCha20 for clients that put it first, as their processor has no AES.
  ssl_prefer_server_ciphers on;
  ssl_ciphers ${ciphers.join(":")};
  ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256;
  ssl_session_cache shared:tls:4m;
  ssl_session_timeout 1h;
  ssl_conf_command Options KTLS,PrioritizeChaCha;

  # A client has to ask at once; once it is signed in, it may be slow, and stall for some minutes.
  client_header_timeout 15s;
  client_body_timeout 300s;
  send_timeout 300s;
  reset_timedout_connection on;
  large_client_header_buffers 4 8k;
  client_max_body_size ${maxUploadSize};
  client_body_buffer_size 256k;
  # A connection that is idle when another configuration comes is not closed under the client that just begins to ask;
  # whoever loads the configuration waits for longer than this.
  keepalive_timeout 75s;
  keepalive_min_timeout 2s;

${renderPreconditions()}
  sendfile on;
  sendfile_max_chunk 2m;
  tcp_nopush on;
`;
}

/**
 * Whether a blob is what If-Match and If-None-Match ask for. Its ETag is its digest, while nginx would compare with one of
 * its own, and with the date of a file that never changes: what it would answer wrongly is `$conditional`, and goes to the
 * registry, whose blobs have no date.
 */
function renderPreconditions(): string {
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

function renderListen(ports: readonly number[]): string {
  return ports.map((port) => `    listen ${String(port)} ssl;`).join("\n");
}

function renderAnonymousServer(conf: NginxConf): string {
  return `
  # Nobody is asked who they are, so that $user is nobody.
  server {
${renderListen(conf.anonymousPorts)}
    server_name ${conf.serverName};

    location /v2/ {
      ${refuseControlCharacters}
      try_files /- $route;
    }

${renderRoutes(conf)}  }
`;
}

/** Where a request may end. What is outside /v2/ is unknown. */
function renderRoutes(conf: NginxConf): string {
  return `\
    ${errorPage(400)}
    # These have no URI that a named location could go on with.
    error_page 400 414 421 501 505 /_malformed;
    error_page 494 =431 /_malformed;
    error_page 497 =400 /_malformed;

    location / {
      return 404;
    }

    location = /_malformed {
      internal;
      ${renderAnswer()}
    }

    location @registry {
      proxy_pass http://registry;
    }

    location @upload {
      set $args "";
      proxy_pass http://registry;
    }

${conf.dataFolder === undefined ? renderManifestProxy() + renderBlobProxy() : renderManifests(conf.dataFolder) + renderBlobFiles(conf.dataFolder)}
    location @denied {
      return 403;
    }

    location @unsupported {
      return 405;
    }

    location @unknown {
      return 404;
    }

    location @refusal {
      ${renderAnswer()}
    }
`;
}

/** What a refusal says. The status is that of the error whose page it is. */
function renderAnswer(): string {
  return `default_type application/json;
      add_header_inherit merge;
      add_header Retry-After $retry_after always;
      add_header Allow $allowed_methods always;
      return 200 $refusal;`;
}

function renderManifestProxy(): string {
  return ["@manifest", "@tag"]
    .map(
      (location) => `\
    location ${location} {
      proxy_pass http://registry;
    }

`,
    )
    .join("");
}

/**
 * A repository has a manifest when the registry has linked its revision there. Nothing about files is cached, so that one
 * which is gone is gone at once; what is to be said about that, the registry says.
 *
 * Which manifest a tag names the registry is asked each time: whether it is still the one that it was. It answers that with
 * 304 before it reads the manifest, which then comes from the cache.
 */
function renderManifests(dataFolder: string): string {
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
      error_page 418 = @registry;
      ${errorPage()}
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

function renderBlobProxy(): string {
  return `\
    location @blob {
      if ($if_match = failed) {
        return 412;
      }
      proxy_pass http://registry;
    }
`;
}

/**
 * A repository has a blob when the registry has linked it there. What isn't here isn't asked for at the registry: it
 * would follow a symbolic link, wherever that leads.
 */
function renderBlobFiles(dataFolder: string): string {
  const data = "/blobs/sha256/$shard/$shard$hex/data";
  return `\
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
