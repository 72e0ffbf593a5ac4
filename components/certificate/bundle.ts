import { createPrivateKey, X509Certificate, type KeyObject } from "node:crypto";
import { rootCertificates } from "node:tls";

import { covers, isIssuedBy, namesIn, outOfDate, parseCertificates, parseOr } from "./chain.ts";
import { renewalDays } from "./lifetimes.ts";
import { browsersRefuse, refusalsOf } from "./refusals.ts";
import { issuerOf, nameOf } from "./x509.ts";

/** A provided certificate, as people have it. */
export interface Given {
  /** PEM: the server's certificate and its issuers, in any order, with any text between them. */
  readonly bundle: string;
  /** PEM: the private key. */
  readonly key: string;
  /** Opens the key if it is encrypted. Default: it is not. */
  readonly passphrase?: string | undefined;
}

/** What is wrong with a provided certificate: with one of its parts, or with the name it is meant for. */
export interface BundleProblem {
  readonly about: keyof Given | "hostname";
  /** A clause that follows the setting's name: "is not …, …". */
  readonly wrong: string;
}

/** A provided certificate, as the proxy needs it. */
export interface Bundle {
  /** Every problem; none if the certificate can be used. */
  readonly problems: readonly BundleProblem[];
  /** PEM: the server's certificate, then each issuer in order. */
  readonly chain: string;
  /** PEM: the private key, in PKCS #8, not encrypted. */
  readonly key: string;
}

/**
 * Reads a provided certificate and checks it before anything is created: the key matches, the certificate covers the
 * hostname and is valid now, the chain is complete (its last certificate is a root or was issued by a public root), and
 * clients accept it.
 *
 * @param hostname What clients type; undefined if it is not known yet. A wildcard covers one label.
 */
export function readBundle(given: Given, hostname: string | undefined, now: Date): Bundle {
  const problems: BundleProblem[] = [];
  const privateKey = readKey(given, problems);
  const all = parseOr(() => parseCertificates(given.bundle)) ?? [];
  const key = privateKey?.export({ type: "pkcs8", format: "pem" }).toString() ?? "";
  const odd = all.find((certificate) => parseOr(() => certificate.publicKey) === undefined);
  if (odd !== undefined) {
    problems.push({ about: "bundle", wrong: `holds a certificate with a key that can't be read: ${nameOf(odd)}` });
    return { problems, chain: "", key };
  }
  const { chain, others } = arrange(all, privateKey);
  const [leaf] = chain;
  if (leaf === undefined) {
    problems.push({ about: "bundle", wrong: "holds no readable PEM certificate" });
    return { problems, chain: "", key };
  }

  if (privateKey !== undefined && !leaf.checkPrivateKey(privateKey))
    problems.push({ about: "key", wrong: "is not the key of the certificate" });
  for (const certificate of chain) {
    const wrong = outOfDate(certificate, now);
    if (wrong !== undefined) problems.push({ about: "bundle", wrong });
  }
  if (hostname !== undefined && !covers(leaf, hostname)) {
    problems.push({
      about: "hostname",
      wrong: `"${hostname}" is not covered by the certificate, which is for ${namesIn(leaf)}`,
    });
  }
  const wrong = brokenChain(chain, others) ?? describeRefusals(chain);
  if (wrong !== undefined) problems.push({ about: "bundle", wrong });
  return { problems, chain: chain.map(String).join(""), key };
}

/** What only some clients would refuse, or will refuse soon. */
export function warningsAbout(bundle: string, now: Date): { readonly wrong: string; readonly cure: string }[] {
  const chain = parseOr(() => parseCertificates(bundle)) ?? [];
  const [leaf] = chain;
  if (leaf === undefined) return [];
  const day = 86_400_000;
  const key = browsersRefuse(leaf);
  const life = (Date.parse(leaf.validTo) - Date.parse(leaf.validFrom)) / day;
  const end = Math.min(...chain.map(({ validTo }) => Date.parse(validTo)));
  const left = Math.floor((end - now.getTime()) / day);
  return [
    ...(key === undefined
      ? []
      : [
          {
            wrong: `has a key that browsers refuse, ${key}; Docker, podman and the others accept it`,
            cure: "nothing to do, unless browsers will use it",
          },
        ]),
    ...(life > 825
      ? [
          {
            wrong: "is valid for more than 825 days, which macOS refuses",
            cure: "nothing to do, unless clients on macOS will use it",
          },
        ]
      : []),
    ...(left < renewalDays
      ? [
          {
            wrong: `runs out in ${String(left)} days, on ${new Date(end).toISOString().slice(0, 10)}`,
            cure: "get a new one from whoever issued it",
          },
        ]
      : []),
  ];
}

function describeRefusals(chain: readonly X509Certificate[]): string | undefined {
  const refusals = parseOr(() => refusalsOf(chain));
  if (refusals === undefined) return "holds a certificate that is not well-formed";
  return refusals.length === 0 ? undefined : `would be refused by clients: ${refusals.join(", and ")}`;
}

/** The root certificate at the end of a chain, PEM; empty if a public authority issued the chain. */
export function selfSignedRoot(chain: string): string {
  const last = parseCertificates(chain).at(-1);
  return last !== undefined && isIssuedBy(last, last) ? last.toString() : "";
}

function readKey({ key, passphrase }: Given, problems: BundleProblem[]): KeyObject | undefined {
  const [pem = "", kind = ""] = /-----BEGIN ([A-Z ]*)PRIVATE KEY-----[^]*?-----END \1PRIVATE KEY-----/.exec(key) ?? [];
  const isEncrypted = kind === "ENCRYPTED " || pem.includes("Proc-Type: 4,ENCRYPTED");
  if (isEncrypted && passphrase === undefined) {
    problems.push({ about: "passphrase", wrong: "is missing: the key is encrypted" });
    return undefined;
  }
  try {
    return createPrivateKey({ key: pem, ...(isEncrypted && { passphrase }) });
  } catch (error) {
    problems.push(isEncrypted ? whyClosed(error) : { about: "key", wrong: "is not a readable PEM private key" });
    return undefined;
  }
}

/** Why an encrypted key can't be read, by OpenSSL's error. */
function whyClosed(error: unknown): BundleProblem {
  const { code = "" } = error as NodeJS.ErrnoException;
  // One wrong passphrase in 256 decrypts the key to something else, which is another error: ERR_OSSL_UNSUPPORTED.
  if (code !== "ERR_OSSL_EVP_UNSUPPORTED") return { about: "passphrase", wrong: "does not open the key" };
  const cure = "openssl pkcs8 -topk8 -v2 aes256 -provider legacy -provider default -in OLD.key -out SERVER.key";
  return { about: "key", wrong: `is encrypted with a cipher that is not supported: encrypt it again with ${cure}` };
}

/**
 * The chain from the server's certificate upward, and what is no part of it.
 *
 * @param key The server's key, which tells its certificate. Default: the server's is the first that issued no other.
 */
function arrange(all: readonly X509Certificate[], key: KeyObject | undefined) {
  const own = key && all.find((certificate) => certificate.checkPrivateKey(key));
  const isIssuer = (one: X509Certificate) => all.some((other) => other !== one && isIssuedBy(other, one));
  const chain: X509Certificate[] = [];
  for (let next = own ?? all.find((one) => !isIssuer(one)) ?? all[0]; next !== undefined;) {
    const last = next;
    chain.push(last);
    next = isIssuedBy(last, last) ? undefined : all.find((other) => !chain.includes(other) && isIssuedBy(last, other));
  }
  return { chain, others: all.filter((certificate) => !chain.includes(certificate)) };
}

function brokenChain(chain: readonly X509Certificate[], others: readonly X509Certificate[]): string | undefined {
  const [leaf, last, other] = [chain[0], chain.at(-1), others[0]];
  if (leaf === undefined || last === undefined) return undefined;
  if (!isIssuedBy(last, last) && !issuedByPublicRoot(last))
    return `is incomplete: the certificate of ${issuerOf(last)}, which issued ${nameOf(last)}, is missing`;
  if (other === undefined) return undefined;
  return `has one certificate too many: ${nameOf(other)} is no issuer of ${nameOf(leaf)}`;
}

function issuedByPublicRoot(certificate: X509Certificate): boolean {
  return rootCertificates.some((pem) => isIssuedBy(certificate, new X509Certificate(pem)));
}
