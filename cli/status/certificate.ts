import type { X509Certificate } from "node:crypto";
import { connect, type TLSSocket } from "node:tls";

import type { CertificateSource } from "../../components/certificate/certificate.ts";
import { covers, namesOf } from "../../components/certificate/chain.ts";
import { renewalDays } from "../../components/certificate/lifetimes.ts";
import { issuerOf, nameOf } from "../../components/certificate/x509.ts";
import type { Outputs } from "../../components/outputs.ts";
import { messageOf } from "../../components/userError.ts";
import type { Finding } from "./finding.ts";

/** How long the proxy may take to answer, in milliseconds. */
const patience = 10_000;

const day = 24 * 60 * 60 * 1000;

/** The way in which a certificate is renewed. */
export type Renewal = CertificateSource["mode"];

/** What the proxy showed at a handshake. */
export interface Served {
  readonly certificate: X509Certificate;
  /** In order, as far as the proxy shows them. */
  readonly issuers: readonly X509Certificate[];
  /** Why clients that have the stack's authority don't trust it. Default: they do. */
  readonly distrusted?: string | undefined;
}

/**
 * Connects to the proxy as a client would, and returns the certificate that it shows.
 *
 * @throws Error if nothing answers there, or doesn't speak TLS.
 */
export function askCertificate({ url, address, records, caCertificate }: Outputs): Promise<Served> {
  const { hostname, port } = new URL(url);
  const name = hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({
      // The name may not have reached this machine's resolver.
      host: records.length > 0 ? address : name,
      port: port === "" ? 443 : Number(port),
      ...(/[a-z]/i.test(name) && !name.includes(":") && { servername: name }),
      ...(caCertificate !== "" && { ca: caCertificate }),
      rejectUnauthorized: false,
      timeout: patience,
    });
    socket.on("timeout", () => socket.destroy(new Error(`no answer within ${String(patience / 1000)} seconds`)));
    socket.on("error", reject);
    socket.on("secureConnect", () => {
      const certificate = socket.getPeerX509Certificate();
      if (certificate === undefined) return socket.destroy(new Error("no certificate is shown"));
      const { authorized, authorizationError } = socket;
      const other = covers(certificate, name) ? undefined : `it is not for ${name}`;
      const distrusted = authorized ? undefined : messageOf(authorizationError);
      resolve({ certificate, issuers: issuersOf(certificate), distrusted: other ?? distrusted });
      socket.destroy();
    });
  });
}

function issuersOf({ issuerCertificate }: X509Certificate): X509Certificate[] {
  return issuerCertificate === undefined ? [] : [issuerCertificate, ...issuersOf(issuerCertificate)];
}

/** Judges a certificate by its names, its issuer, and the time that is left until it or one of its issuers runs out. */
export function judgeCertificate(
  { certificate, issuers, distrusted }: Served,
  renewal: Renewal | undefined,
  now: Date,
  stack: string,
): Finding {
  const begin = new Date(certificate.validFrom);
  const ownEnd = endOf(certificate);
  const first = issuers.reduce((one, other) => (endOf(other) < endOf(one) ? other : one), certificate);
  const end = endOf(first);
  const left = end.getTime() - now.getTime();
  const life = ownEnd.getTime() - begin.getTime();
  const names = namesOf(certificate);
  const issuer = issuerOf(certificate);
  const daysLeft = Math.floor(left / day);
  const facts = { names, issuer, until: end.toISOString(), daysLeft, renewal };
  const how = renewal && howToRenew[renewal](stack);
  const about = "certificate";
  const until = dateOf(end);
  const issuerFirst = first === certificate ? "" : `its issuer ${nameOf(first)} `;
  if (left < 0) return { about, is: "wrong", what: `${issuerFirst}ran out on ${until}. ${how ?? ""}`.trim(), facts };
  if (begin > now) return { about, is: "wrong", what: `is valid from ${dateOf(begin)} only`, facts };
  if (distrusted !== undefined)
    return { about, is: "wrong", what: `clients don't trust what the proxy shows: ${distrusted}`, facts };
  const when = issuerFirst && `, when ${issuerFirst}runs out`;
  const what = `${names.join(", ")}; by ${issuer}; ${String(daysLeft)} days left, until ${until}${when}`;
  if (left < life / 4) return { about, is: "wrong", what: `${what}. ${how ?? ""}`.trim(), facts };
  return {
    about,
    is: "well",
    what: `${what}${renewal === undefined ? "" : `; ${renewals[renewal](ownEnd, stack)}`}`,
    facts,
  };
}

/** What a person does if it is time. */
const howToRenew: Readonly<Record<Renewal, (stack: string) => string>> = {
  selfSigned: (stack) => `To renew it: make up STACK=${stack}`,
  provided: (stack) => `Get a new one, put it where certificate.bundleFile says, then: make up STACK=${stack}`,
  acme: (stack) => `It should have been renewed: see the line renewal, or make logs STACK=${stack}`,
};

const renewals: Readonly<Record<Renewal, (end: Date, stack: string) => string>> = {
  selfSigned: (end, stack) =>
    `make up STACK=${stack} renews it from ${dateOf(new Date(end.getTime() - renewalDays * day))}`,
  provided: () => "renewed by whoever issued it",
  acme: () => "renewed by itself",
};

function endOf({ validTo }: X509Certificate): Date {
  return new Date(validTo);
}

function dateOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}
