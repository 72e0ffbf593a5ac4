import { createPrivateKey, X509Certificate, type KeyObject } from "node:crypto";
import { isIP } from "node:net";
import { rootCertificates } from "node:tls";

import { browsersRefuse, refusalsOf } from "./refusals.ts";
import { issuerOf, nameOf } from "./x509.ts";

/** What is wrong with a provided certificate: with the bundle, with the key, or with the name it is meant for. */
export interface BundleProblem {
  readonly about: "bundle" | "key" | "hostname";
  /** A clause that follows the setting's name: "is not …, …". */
  readonly wrong: string;
}

/**
 * Checks a provided certificate before anything is created: the key matches, the certificate covers the hostname and is
 * valid now, the chain is in order and complete (its last certificate is a root or was issued by a public root), and
 * clients accept it.
 *
 * @param bundle PEM: the server's certificate, then each issuer in order.
 * @param key PEM: the private key, not encrypted.
 * @param hostname What clients type; undefined if it is not known yet. A wildcard covers one label.
 * @returns Every problem; none if the certificate can be used.
 */
export function validateBundle(bundle: string, key: string, hostname: string | undefined, now: Date): BundleProblem[] {
  const problems: BundleProblem[] = [];
  const chain = parseOr(() => parseBundle(bundle));
  const privateKey = parseOr(() => createPrivateKey(key));
  const [leaf] = chain ?? [];

  if (chain === undefined || leaf === undefined)
    problems.push({ about: "bundle", wrong: "holds no readable PEM certificate" });
  if (privateKey === undefined)
    problems.push({ about: "key", wrong: "is not a readable, unencrypted PEM private key" });
  if (chain === undefined || leaf === undefined) return problems;

  if (privateKey !== undefined && !leaf.checkPrivateKey(privateKey)) problems.push(wrongKey(chain, privateKey));
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
  const wrong = brokenLink(chain) ?? describeRefusals(chain);
  if (wrong !== undefined) problems.push({ about: "bundle", wrong });
  return problems;
}

/** A problem with only some clients: a clause that follows the setting's name, and the clients. */
export function bundleWarning(bundle: string): { readonly wrong: string; readonly whom: string } | undefined {
  const [leaf] = parseOr(() => parseBundle(bundle)) ?? [];
  if (leaf === undefined) return undefined;
  const key = browsersRefuse(leaf);
  if (key !== undefined)
    return {
      wrong: `has a key that browsers refuse, ${key}; Docker, podman and the others accept it`,
      whom: "browsers",
    };
  const days = (Date.parse(leaf.validTo) - Date.parse(leaf.validFrom)) / 86_400_000;
  return days > 825
    ? { wrong: "is valid for more than 825 days, which macOS refuses", whom: "clients on macOS" }
    : undefined;
}

function describeRefusals(chain: X509Certificate[]): string | undefined {
  const refusals = parseOr(() => refusalsOf(chain));
  if (refusals === undefined) return "holds a certificate that is not well-formed";
  return refusals.length === 0 ? undefined : `would be refused by clients: ${refusals.join(", and ")}`;
}

/** The root certificate at the end of a bundle, PEM; empty if a public authority issued the bundle. */
export function selfSignedRoot(bundle: string): string {
  const last = parseBundle(bundle).at(-1);
  return last !== undefined && isIssuedBy(last, last) ? last.toString() : "";
}

function parseBundle(bundle: string): X509Certificate[] {
  const blocks = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((pem) => new X509Certificate(pem));
}

function parseOr<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

function wrongKey(chain: X509Certificate[], key: KeyObject): BundleProblem {
  return chain.some((certificate) => certificate.checkPrivateKey(key))
    ? { about: "bundle", wrong: "is out of order: the server's own certificate must be the first" }
    : { about: "key", wrong: "is not the key of the certificate" };
}

function outOfDate(certificate: X509Certificate, now: Date): string | undefined {
  if (now > new Date(certificate.validTo))
    return `is out of date: ${nameOf(certificate)} expired on ${certificate.validTo}`;
  if (now < new Date(certificate.validFrom))
    return `is not valid yet: ${nameOf(certificate)} begins on ${certificate.validFrom}`;
  return undefined;
}

function covers(leaf: X509Certificate, hostname: string): boolean {
  // Browsers and Go check the alternative names only, never the subject.
  return (
    (isIP(hostname) === 0
      ? leaf.checkHost(hostname, { subject: "never", partialWildcards: false })
      : leaf.checkIP(hostname)) !== undefined
  );
}

function brokenLink(chain: X509Certificate[]): string | undefined {
  const twice = chain.find((certificate, i) => chain.findIndex(({ raw }) => raw.equals(certificate.raw)) < i);
  if (twice !== undefined) return `has one certificate too many: ${nameOf(twice)} occurs twice`;
  for (const [i, certificate] of chain.entries()) {
    const next = chain[i + 1];
    if (next === undefined) {
      if (isIssuedBy(certificate, certificate) || issuedByPublicRoot(certificate)) return undefined;
      return `is incomplete: the certificate of ${issuerOf(certificate)}, which issued ${nameOf(certificate)}, is missing at its end`;
    }
    if (isIssuedBy(certificate, certificate))
      return `has one certificate too many: ${nameOf(next)} follows the root ${nameOf(certificate)}, which ends the chain`;
    if (!isIssuedBy(certificate, next)) {
      return chain.some((other) => isIssuedBy(certificate, other))
        ? `is out of order: ${issuerOf(certificate)} must follow ${nameOf(certificate)}, which it issued`
        : `is incomplete: the certificate of ${issuerOf(certificate)}, which issued ${nameOf(certificate)}, must follow it`;
    }
  }
  return undefined;
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  // Node's own check also requires keyCertSign. refusalsOf reports a missing one; a root needs none.
  const isNamed = certificate.checkIssued(issuer) || certificate.issuer === issuer.subject;
  return isNamed && certificate.verify(issuer.publicKey);
}

function issuedByPublicRoot(certificate: X509Certificate): boolean {
  return rootCertificates.some((pem) => isIssuedBy(certificate, new X509Certificate(pem)));
}

function namesIn(certificate: X509Certificate): string {
  return certificate.subjectAltName ?? "no name at all";
}
