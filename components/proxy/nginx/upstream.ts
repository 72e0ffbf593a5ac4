import { refuseWithoutRoom } from "./room.ts";
import { patternKey, quoted, renderMap } from "./text.ts";

export interface Upstream {
  /** The registry's containers on the private network: `host:port`. */
  readonly registries: readonly string[];
  /** The name that clients type. */
  readonly serverName: string;
}

/** The client headers that the registry reads, in addition to those about the body. */
const forwardedHeaders = [
  ...["Accept", "Content-Range", "If-Modified-Since", "If-None-Match", "If-Range", "Range", "User-Agent"],
] as const;

export const refuseControlCharacters = `if ($control_character) {
        return 400;
      }`;

export function variableOf(header: string): string {
  return `$http_${header.toLowerCase().replaceAll("-", "_")}`;
}

/** The headers that the registry is sent in one location: those that it always needs, and `more`. */
export function renderForwarded(more: Readonly<Record<string, string>>, indent = 2): string {
  const headers = {
    Connection: quoted(""),
    // With the port: the registry builds the URL of an upload from it.
    Host: "$asked_host",
    "X-Forwarded-Proto": "$scheme",
    "X-Forwarded-For": "$remote_addr",
    ...more,
  };
  return Object.entries(headers)
    .map(([header, value]) => `${" ".repeat(indent)}proxy_set_header ${header} ${value};\n`)
    .join("");
}

/** The registry, and the headers that it is sent. */
export function renderUpstream({ registries, serverName }: Upstream): string {
  return `\
  # A container may come back under another address: its name is asked for again.
  resolver 127.0.0.11 valid=5s ipv6=off;
  upstream registry {
    zone registry 64k;
    # One that failed is asked again at once: both may restart within seconds.
${registries.map((address) => `    server ${address} resolve max_fails=0;\n`).join("")}\
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
  # If one container fails, the other is asked. The URL of an upload has a signed offset, so that no part is written twice.
  proxy_next_upstream error timeout non_idempotent;
  proxy_connect_timeout 250ms;
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

/** The locations that the registry answers. */
export function renderRegistryLocations(): string {
  return `\
    location @registry {
      ${refuseWithoutRoom}
      proxy_pass http://registry;
    }

    location @upload {
      ${refuseWithoutRoom}
      set $args "";
      proxy_pass http://registry;
    }
`;
}
