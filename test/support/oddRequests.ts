import fc from "fast-check";

/** A request as bytes, one character each, and whether its answer has no body. */
export interface OddRequest {
  readonly bytes: string;
  readonly head: boolean;
}

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
const long = [
  ...[127, 128, 129, 254, 255, 256, 300, 5000].map((length) => "a".repeat(length)),
  ...["a.", "a/", "%2F", "a=b&", "a-"].map((text) => text.repeat(1500)),
];

const methods = ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "G=T"];

const segments = [
  ...["", "v2", "_catalog", "app", "tags", "list", "manifests", "blobs", "uploads", "referrers", "latest", "a:b"],
  ...[digest, digest.toUpperCase(), digest.slice(0, -1), `${digest}0`, "sha256:abc", "sha512:abc", "md5:abc", ".:"],
  ...[`sha512:${"0".repeat(128)}`, `md5:${"0".repeat(32)}`, `blake3:${"0".repeat(64)}`, ":", "@", "a@b", "A", "-a"],
  ...[".", "..", "%2e%2e", "%00", "%zz", "%", "%2F", "a%0Ab", "\u00e9", "\u0001", "\u007f", "#", ";", "\\", '"', "*"],
  ...long,
];

/** The placeholders in a path of the API. */
const paths = [
  ...["/v2/", "/v2/_catalog", "/v2/*/tags/list", "/v2/app/*/list", "/v2/app/manifests/*", "/v2/*/manifests/latest"],
  ...["/v2/app/blobs/*", `/v2/*/blobs/${digest}`, "/v2/app/blobs/uploads/", "/v2/*/blobs/uploads/", "/v2/app/*"],
  ...["/v2/app/blobs/uploads/*", "/v2/app/referrers/*", `/v2/app/referrers/${digest}`, "/*", "*", "/v2/app/*/*"],
];

const names = [
  "n",
  "last",
  "l%61st",
  "mount",
  "from",
  "From",
  "digest",
  "digest-algorithm",
  "_state",
  "ns",
  "tag",
  "x",
  "",
];
const values = [
  ...[
    "",
    "1",
    "0",
    "-1",
    "x",
    "99999999999999999999",
    "100000",
    digest,
    "sha256%3Aabc",
    "md5:abc",
    "app",
    "a/b",
    "a%2Fb",
  ],
  ...[
    "..",
    "../../..",
    "..%2F..",
    "/",
    "%2F",
    "%00",
    "a%00",
    "%0a",
    "%7f",
    "%ff",
    "%zz",
    "%",
    "+",
    "=",
    ";",
    "#",
    "\u00e9",
  ],
  ...long,
];

const versions = [
  "HTTP/1.0",
  "HTTP/1.2",
  "HTTP/1",
  "HTTP/1.x",
  "HTTP/2.0",
  "HTTP/2.5",
  "HTTP/3.0",
  "HTTP/11.1",
  "HTTX/1.1",
  "x",
];

const hosts = [
  "localhost",
  "other",
  "",
  "*",
  "a_b",
  "a..b",
  ".",
  "-",
  "a b",
  "a/b",
  "[::1",
  "[::1]:1",
  "a:99999",
  "a:b",
  "\u00e9",
];

const headers = [
  ...[
    "Range: bytes=0-1",
    "Range: bytes=9-",
    "Range: bytes=x",
    "Range: x=0-1",
    "Range: bytes=0-1,5-6,-3",
    "Range: bytes=-0",
  ],
  ...['If-Match: "x"', "If-Match: *", "If-Match: x", 'If-None-Match: "x"', "If-None-Match: *", `If-Match: "${digest}"`],
  ...["If-Modified-Since: x", "If-Unmodified-Since: x", "If-Unmodified-Since: Mon, 01 Jan 2001 00:00:00 GMT"],
  ...['If-Range: "x"', "Content-Range: x", "Content-Range: 5-9", "Content-Range: 9-5", "Content-Range: bytes 0-1/2"],
  ...["Content-Type: x", "Content-Type: application/json", "Content-Type: application/x-www-form-urlencoded"],
  ...["Accept: x", "Accept: application/json", "Accept-Encoding: gzip", "Expect: 100-continue", "Expect: x"],
  ...["Transfer-Encoding: gzip, chunked", "Transfer-Encoding: x", "Content-Length: 0", "Content-Length: -1"],
  ...["Content-Length: 99999999999999999999", "Content-Length: x", "Content-Encoding: gzip", "Upgrade: h2c", "TE: x"],
  ...["Connection: upgrade", "Host: other", "Authorization: x", "Cookie: a=b", "X-Forwarded-Host: a b", "Forwarded: x"],
  ...["X-HTTP-Method-Override: DELETE", "X: \u00e9\u0001", ": x", "x", " x: y", "A B: c", `X: ${"a".repeat(9000)}`],
  "Docker-Upload-UUID: x",
];

/** One of a few, only sometimes, so that a request is mostly odd in one way. */
function mostly<T>(usual: T, odd: readonly T[], weight: number): fc.Arbitrary<T> {
  return fc.oneof({ weight, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...odd) });
}

const path = fc
  .tuple(fc.constantFrom(...paths), fc.constantFrom(...segments), fc.constantFrom(...segments))
  .map(([text, first, second]) => text.replace("*", first).replace("*", second));

const parameter = fc
  .tuple(fc.constantFrom(...names), fc.constantFrom(...values))
  .map(([name, value]) => `${name}=${value}`);
const query = fc.array(parameter, { maxLength: 3 }).map((all) => (all.length === 0 ? "" : `?${all.join("&")}`));

/** Requests without a body, signed in or not, that a client may get wrong or an attacker right. */
export function anyOddRequest(authorization: string): fc.Arbitrary<OddRequest> {
  return fc
    .record({
      method: mostly("GET", methods, 1),
      path,
      query,
      version: mostly("HTTP/1.1", versions, 8),
      host: mostly<string | undefined>("localhost", [undefined, ...hosts], 8),
      signedIn: mostly(true, [false], 8),
      more: fc.array(fc.constantFrom(...headers), { maxLength: 1 }),
    })
    .map(({ method, path, query, version, host, signedIn, more }) => ({
      head: method === "HEAD",
      bytes: [
        `${method} ${path}${query} ${version}`,
        ...(host === undefined ? [] : [`Host: ${host}`]),
        ...(signedIn ? [`Authorization: ${authorization}`] : []),
        ...more,
        "Connection: close",
        "\r\n",
      ].join("\r\n"),
    }));
}
