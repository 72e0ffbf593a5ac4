import type { KeyObject, X509Certificate } from "node:crypto";

import { type CertificateDetails, detailsOf, type Name, nameOf } from "./x509.ts";

/**
 * Why clients would refuse a complete and ordered chain. Each reason was tested: Go's crypto/tls (which Docker,
 * containerd and crane use), OpenSSL, curl or a browser refuses such a chain, or nginx doesn't start with it.
 *
 * @param chain The server's certificate, then each issuer in order.
 * @returns A clause for each reason; follows "refused by clients:".
 */
export function refusalsOf(chain: readonly X509Certificate[]): string[] {
  const all = chain.map((certificate) => ({ name: nameOf(certificate), certificate, details: detailsOf(certificate) }));
  const names = all[0]?.details.names ?? [];
  return all.flatMap(({ name, certificate, details }, i) => {
    const isRoot = certificate.issuer === certificate.subject;
    return [
      keyRefusal(certificate.publicKey, details),
      isRoot ? undefined : signatureRefusal(details),
      ...(i === 0 ? serverRefusals(details) : issuerRefusals(details, isRoot, i - 1, names)),
      ...anyRefusals(details),
    ]
      .filter((refusal) => refusal !== undefined)
      .map((refusal) => `${name} ${refusal}`);
  });
}

/** The type of a key that browsers refuse and all registry clients accept; undefined for any other key. */
export function browsersRefuse({ publicKey }: X509Certificate): string | undefined {
  const name = keyName(publicKey);
  return ["P-521", "Ed25519"].includes(name) ? name : undefined;
}

/** A key as Node describes it. Node's own type lists fewer key types than Node supports. */
interface Described {
  readonly asymmetricKeyType?: string;
  readonly asymmetricKeyDetails?: KeyObject["asymmetricKeyDetails"];
}

/** By Node's names. */
const curves: Readonly<Record<string, string>> = { prime256v1: "P-256", secp384r1: "P-384", secp521r1: "P-521" };

function keyName({ asymmetricKeyType = "unknown", asymmetricKeyDetails = {} }: Described): string {
  const { modulusLength = 0, namedCurve } = asymmetricKeyDetails;
  switch (asymmetricKeyType) {
    case "rsa":
      return `RSA of ${String(modulusLength)} bits`;
    case "ec":
      return curves[namedCurve ?? ""] ?? namedCurve ?? "an unknown curve";
    case "ed25519":
      return "Ed25519";
    default:
      return asymmetricKeyType;
  }
}

function keyRefusal(key: KeyObject, { hasNamedCurve }: CertificateDetails): string | undefined {
  if (key.asymmetricKeyType === "ec" && !hasNamedCurve)
    return "has a key with explicit curve parameters: clients accept named curves only";
  const bits = key.asymmetricKeyType === "rsa" ? (key.asymmetricKeyDetails?.modulusLength ?? 0) : 0;
  const name = keyName(key);
  if ((bits >= 2048 && bits <= 8192) || [...Object.values(curves), "Ed25519"].includes(name)) return undefined;
  return `has a key that is ${name}, not RSA of 2048 to 8192 bits, P-256, P-384, P-521 or Ed25519`;
}

function signatureRefusal({ signature }: CertificateDetails): string | undefined {
  if (["SHA-256", "SHA-384", "SHA-512", "Ed25519"].includes(signature)) return undefined;
  return `is signed with ${signature}, not with SHA-256, SHA-384, SHA-512 or Ed25519`;
}

const serverAuth = "1.3.6.1.5.5.7.3.1";

function purposeRefusal({ extendedKeyUsage }: CertificateDetails): string | undefined {
  if (extendedKeyUsage === undefined || extendedKeyUsage.includes(serverAuth)) return undefined;
  return "is not for servers: its extendedKeyUsage lacks serverAuth";
}

function serverRefusals(details: CertificateDetails) {
  const { keyUsage, names } = details;
  return [
    purposeRefusal(details),
    // Browsers require it even with keyEncipherment, which was enough for older key exchanges.
    keyUsage?.digitalSignature === false
      ? "may not be used by a server: its keyUsage lacks digitalSignature"
      : undefined,
    names.some((name) => "dns" in name && /[^\x20-\x7e]/.test(name.dns))
      ? "has a name that is not ASCII: the xn-- form is needed"
      : undefined,
  ];
}

/** @param between The number of authorities between this one and the server. */
function issuerRefusals(details: CertificateDetails, isRoot: boolean, between: number, names: readonly Name[]) {
  const { isAuthority, version, keyUsage, pathLength, permitted, excluded } = details;
  const mayIssue = isAuthority || (isRoot && version === 1);
  const outside = names.find(
    (name) => excluded.some((subtree) => isWithin(name, subtree)) || !isPermitted(name, permitted),
  );
  return [
    purposeRefusal(details),
    mayIssue ? undefined : "may not issue certificates: its basicConstraints lack CA:TRUE",
    keyUsage?.keyCertSign === false ? "may not issue certificates: its keyUsage lacks keyCertSign" : undefined,
    pathLength !== undefined && pathLength < between
      ? `may not issue through ${String(between)} other authorities: its pathlen is ${String(pathLength)}`
      : undefined,
    outside && `may not issue certificates for ${formatName(outside)}: its nameConstraints leave that out`,
  ];
}

/** The extensions that all clients understand; policies only in newer versions. */
const knownExtensions = new Set([
  "2.5.29.15",
  "2.5.29.17",
  "2.5.29.19",
  "2.5.29.30",
  "2.5.29.31",
  "2.5.29.32",
  "2.5.29.37",
]);

function anyRefusals({ hasNegativeSerial, critical, hasOtherConstraints }: CertificateDetails) {
  const unknown = critical.find((id) => !knownExtensions.has(id) || (id === "2.5.29.30" && hasOtherConstraints));
  return [
    hasNegativeSerial ? "has a negative serial number" : undefined,
    unknown && `has a critical extension that clients don't understand: ${unknown}`,
  ];
}

/** A constraint on one kind of name does not restrict the other. */
function isPermitted(name: Name, permitted: readonly Name[]): boolean {
  const alike = permitted.filter((subtree) => "dns" in subtree === "dns" in name);
  return alike.length === 0 || alike.some((subtree) => isWithin(name, subtree));
}

function isWithin(name: Name, subtree: Name): boolean {
  if ("dns" in name && "dns" in subtree) {
    // With a leading dot, a domain does not contain itself.
    const domain = subtree.dns.toLowerCase();
    const labels = name.dns.toLowerCase();
    return domain === "" || labels === domain || labels.endsWith(domain.startsWith(".") ? domain : `.${domain}`);
  }
  if ("ip" in name && "ip" in subtree && subtree.ip.length === 2 * name.ip.length) {
    const mask = subtree.ip.slice(name.ip.length);
    return name.ip.every((byte, i) => ((byte ^ (subtree.ip[i] ?? 0)) & (mask[i] ?? 0)) === 0);
  }
  return false;
}

function formatName(name: Name): string {
  return "dns" in name ? name.dns : name.ip.length === 4 ? name.ip.join(".") : "an IPv6 address";
}
