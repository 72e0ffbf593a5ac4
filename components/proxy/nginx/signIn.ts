import { type Access, exactKeys } from "./access.ts";
import { configFiles } from "./files.ts";
import { escapePattern, patternKey, quoted, renderMap } from "./text.ts";

export interface SignIn {
  /** For each user, a text that changes with the password. */
  readonly passwordRevisions: Readonly<Record<string, string>>;
  /**
   * How many passwords an address may try per minute, and in a burst, 1 to 40. Passwords already known to be right
   * don't count; the first right one does. All addresses together have 60 per minute and a burst of 45, more than any
   * one.
   */
  readonly guessesPerMinute: number;
  /** The name of the configuration and of its folder. Letters and digits. */
  readonly revision: string;
}

const passwordSocket = "unix:/tmp/passwords.sock";

/** The name that is checked in place of an unknown user name. No user has it, as it is a control character. */
const decoy = "\u0001";

/** One line for each user, and one for the decoy: a hash of the same cost that no known password has. */
export function renderHtpasswd(hashes: Readonly<Record<string, string>>): string {
  const [costly = ""] = Object.values(hashes);
  const prefix = costly.slice(0, "$2y$10$".length);
  return Object.entries({ ...hashes, [decoy]: prefix + ".".repeat(53) })
    .map(([name, hash]) => `${name}:${hash}\n`)
    .join("");
}

/**
 * The server that checks passwords, about 60 ms of CPU time each. Its cache is in memory only, as the cache keys
 * contain passwords. It answers a throttled guess with 403, because `auth_request` turns all but 401 and 403 into 500.
 */
export function renderPasswords({
  users,
  passwordRevisions,
  guessesPerMinute,
  revision,
}: SignIn & Pick<Access, "users">): string {
  const keyOf = exactKeys(users.map(({ name }) => name));
  return `\
${renderMap(
  "$remote_user",
  "$password_revision",
  users.map(({ name }) => [keyOf("", name), passwordRevisions[name] ?? ""]),
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
      # It is opened again and again: by way of \`current\`, it could be another revision's.
      auth_basic_user_file ../${revision}/${configFiles.htpasswd};
      try_files /- @right;
    }

    location @right {
      add_header Signed-In yes;
      return 204;
    }
  }
`;
}

/** The directives that make each request wait until its user is known. */
export function renderAuthRequest(): string {
  return `\
      auth_request /_sign_in;
      auth_request_set $signed_in $upstream_http_signed_in;
      error_page 403 = @throttled;
      # No file has this name: $route answers, now that $user is known, which \`if\` or \`return\` would not wait for.
`;
}

/** The locations that authenticate each request. */
export function renderSignInLocations(): string {
  return `\
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
      proxy_cache_key "$password_revision $http_authorization";
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
`;
}
