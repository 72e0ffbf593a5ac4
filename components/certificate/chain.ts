import { X509Certificate } from "node:crypto";
import { isIP, isIPv6 } from "node:net";

import { nameOf } from "./x509.ts";

/** Each certificate in a text once, in the order of the text. */
export function parseCertificates(text: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const all = blocks.map((pem) => new X509Certificate(pem));
  return all.filter(({ raw }, i) => all.findIndex((other) => other.raw.equals(raw)) === i);
}

/** What a parser returns; undefined if it throws. */
export function parseOr<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

/** Whether a certificate was signed by an issuer, or by itself. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  // Node's own check also requires keyCertSign. refusalsOf reports a missing one; a root needs none.
  const isNamed = certificate.checkIssued(issuer) || certificate.issuer === issuer.subject;
  return isNamed && certificate.verify(issuer.publicKey);
}

/** Why a certificate can't be used at a time: a clause that follows its setting's name; undefined if it can. */
export function outOfDate(certificate: X509Certificate, now: Date): string | undefined {
  if (now > new Date(certificate.validTo))
    return `is out of date: ${nameOf(certificate)} expired on ${certificate.validTo}`;
  if (now < new Date(certificate.validFrom))
    return `is not valid yet: ${nameOf(certificate)} begins on ${certificate.validFrom}`;
  return undefined;
}

/** Whether clients accept a certificate for a name or an address. */
export function covers(leaf: X509Certificate, hostname: string): boolean {
  // Browsers and Go check the alternative names only, never the subject.
  return (
    (isIP(hostname) === 0
      ? leaf.checkHost(hostname, { subject: "never", partialWildcards: false })
      : leaf.checkIP(hostname)) !== undefined
  );
}

/** The names and addresses that a certificate is for, as a message lists them. */
export function namesIn(certificate: X509Certificate): string {
  return certificate.subjectAltName ?? "no name at all";
}

/** The DNS names and IP addresses of a certificate. Node writes IPv6 addresses in full. */
export function namesOf({ subjectAltName = "" }: X509Certificate): string[] {
  const names = subjectAltName.split(", ").map((name) => name.replace(/^(DNS|IP Address):/, ""));
  return names.map((name) => (isIPv6(name) ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name));
}
