import { plainKey, quoted, renderMap } from "./text.ts";

/** The access log: one line of JSON per request. */
export function renderLog(): string {
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
