import { patternKey, quoted, renderMap } from "./text.ts";

/** The error statuses of the proxy itself, with the error codes of the registry's API. */
export const refusals = {
  400: ["UNSUPPORTED", "the request is malformed"],
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

/** The same for input that is not a valid request. */
const malformed = {
  414: ["UNSUPPORTED", "the request line is too long"],
  421: ["UNSUPPORTED", "the request was meant for another host"],
  431: ["UNSUPPORTED", "the headers are too long"],
  501: ["UNSUPPORTED", "the request is encoded in a way that is not supported"],
  505: ["UNSUPPORTED", "the request is of a version of HTTP that is not supported"],
} as const;

/** For the user of a client and for whoever runs the registry: some clients show nothing else. */
const full =
  "the disk of the registry is full: nothing can be pushed until there is room, pulls go on. " +
  "To make room, delete images and run make gc NOW=1 and make gc EMPTY=1, or grow the disk";

function json([code, message]: readonly [string, string]): string {
  return `'{"errors":[{"code":"${code}","message":"${message}","detail":null}]}'`;
}

/** The body of each error response. */
export function renderRefusals(): string {
  return `\
${renderMap(quoted("$status $route"), "$refusal", [
  [patternKey("404 @(?:blob|sought)"), json(["BLOB_UNKNOWN", "the repository has no such blob"])],
  [patternKey("403 @(?:registry|upload|mount)"), json(["DENIED", full])],
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
${renderMap("$status", "$retry_after", [
  ["429", "10"],
  [patternKey("50[234]"), "5"],
])}
  # 403 by way of @throttled or @denied, then the words of @refusal.
  recursive_error_pages on;
`;
}

/** @param except The statuses that this location handles itself. */
export function errorPage(...except: readonly number[]): string {
  const statuses = Object.keys(refusals).filter((status) => !except.includes(Number(status)));
  return `error_page ${statuses.join(" ")} @refusal;`;
}

/** The error response. Its status is that of the error whose page it is. */
export function renderAnswer(): string {
  return `default_type application/json;
      add_header_inherit merge;
      add_header Retry-After $retry_after always;
      add_header Allow $allowed_methods always;
      return 200 $refusal;`;
}

/** The locations for refused requests. Everything outside /v2/ is unknown. */
export function renderRefusalLocations(): string {
  return `\
    ${errorPage(400)}
    # These have no URI that a named location could go on with.
    error_page 400 414 421 501 505 /_malformed;
    error_page 494 =431 /_malformed;
    error_page 497 =400 /_without_tls;

    location / {
      return 404;
    }

    location = /_malformed {
      internal;
      ${renderAnswer()}
    }

    # Docker asks so on localhost after it was told 401, and shows this answer: who pulls may only have to sign in.
    location = /_without_tls {
      internal;
      default_type application/json;
      return 200 ${json(["UNSUPPORTED", "this port speaks HTTPS only; if docker pull says this, sign in first: docker login"])};
    }

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
