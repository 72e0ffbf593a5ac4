import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

export interface Request {
  readonly commonName: string;
  /** `DNS:…,IP:…`; none for an authority. */
  readonly names?: string;
  readonly issuer?: Issued;
  /** Days from now; a negative end is in the past. Default: 60. */
  readonly days?: number;
  /** Days from now. Default: 400 days ago. */
  readonly begins?: number;
  /** Its key, PEM. Default: a new one. */
  readonly key?: string;
  /** The options of `openssl genpkey`. Default: EC, P-256. */
  readonly keyType?: readonly string[];
  /** The signature's hash. Default: SHA-256, or the hash of the issuer's kind of key. */
  readonly digest?: string;
  /** In place of an authority's or a server's; an empty one is left out. */
  readonly extensions?: Readonly<Record<string, string>>;
  readonly serial?: number;
}

const p256 = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

/** A certificate made by openssl, so that the reader is tested with an independent program. */
export function issue(request: Request): Issued {
  const { commonName, names, issuer, begins = -400, days = 60, keyType = p256, digest = "default", serial } = request;
  const folder = mkdtempSync(join(tmpdir(), "certificates-"));
  const path = (file: string) => join(folder, file);
  const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
  try {
    const day = 24 * 3600 * 1000;
    const from = new Date(Date.now() + begins * day);
    const until = new Date(Date.now() + days * day);
    const authority = names === undefined;
    const extensions = {
      basicConstraints: `critical,CA:${authority ? "TRUE" : "FALSE"}`,
      keyUsage: `critical,${authority ? "keyCertSign,cRLSign" : "digitalSignature"}`,
      subjectAltName: names ?? "",
      ...request.extensions,
    };
    writeFileSync(
      path("ca.cnf"),
      `[ca]
default_ca = own
[own]
database = ${path("index")}
new_certs_dir = ${folder}
rand_serial = yes
default_md = ${digest}
policy = any
x509_extensions = ext
[any]
commonName = supplied
[ext]
${Object.entries(extensions)
  .filter(([, value]) => value !== "")
  .map(([key, value]) => `${key} = ${value}`)
  .join("\n")}
`,
    );
    writeFileSync(path("index"), "");
    if (request.key === undefined) openssl("genpkey", ...keyType, "-out", path("key"));
    else write(path("key"), request.key);
    openssl("req", "-new", "-key", path("key"), "-subj", `/CN=${commonName}`, "-out", path("csr"));
    const dates = ["-startdate", asn1(from), "-enddate", asn1(until)];
    const signer = issuer && {
      key: write(path("issuer.key"), issuer.key),
      cert: write(path("issuer.crt"), issuer.certificate),
    };
    openssl(
      ...["ca", "-batch", "-notext", "-config", path("ca.cnf"), "-in", path("csr"), "-out", path("crt"), ...dates],
      ...(signer ? ["-keyfile", signer.key, "-cert", signer.cert] : ["-selfsign", "-keyfile", path("key")]),
    );
    if (serial !== undefined && signer) {
      const numbered = ["-set_serial", String(serial), "-CA", signer.cert, "-CAkey", signer.key, "-days", String(days)];
      const extended = ["-extfile", path("ca.cnf"), "-extensions", "ext"];
      openssl("x509", "-req", "-in", path("csr"), ...numbered, ...extended, "-out", path("crt"));
    }
    return { certificate: readFileSync(path("crt"), "utf8"), key: readFileSync(path("key"), "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function write(path: string, content: string): string {
  writeFileSync(path, content);
  return path;
}

function asn1(date: Date): string {
  return `${date.toISOString().replace(/[-:T]|\..*/g, "")}Z`;
}
