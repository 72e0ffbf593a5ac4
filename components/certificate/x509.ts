import type { X509Certificate } from "node:crypto";
import { createRequire } from "node:module";

import type * as Pkijs from "pkijs";

const require = createRequire(import.meta.url);

/** The details of a certificate that Node doesn't expose. */
export interface CertificateDetails {
  /** The usual name if there is one, else the object identifier: `SHA-1`, `1.3.101.113`. */
  readonly signature: string;
  readonly hasNegativeSerial: boolean;
  /** Whether an elliptic key names its curve. It may also have explicit parameters. */
  readonly hasNamedCurve: boolean;
  /** 1 or 3. Version 1 has no extensions, so nothing in it restricts an authority. */
  readonly version: number;
  readonly isAuthority: boolean;
  /** The allowed number of authorities between this one and a server. Undefined: any number. */
  readonly pathLength: number | undefined;
  /** Undefined: any use; the same for extendedKeyUsage. */
  readonly keyUsage: { readonly digitalSignature: boolean; readonly keyCertSign: boolean } | undefined;
  /** Object identifiers. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly names: readonly Name[];
  readonly permitted: readonly Name[];
  readonly excluded: readonly Name[];
  /** Whether it has name constraints of a kind that not all clients understand. */
  readonly hasOtherConstraints: boolean;
  /** The object identifiers of the critical extensions. */
  readonly critical: readonly string[];
}

/** A DNS name, or the bytes of an IP address; in a constraint the bytes of the mask follow. */
export type Name = { readonly dns: string } | { readonly ip: readonly number[] };

const signatures: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.1.4": "MD5",
  "1.2.840.113549.1.1.5": "SHA-1",
  "1.2.840.113549.1.1.11": "SHA-256",
  "1.2.840.113549.1.1.12": "SHA-384",
  "1.2.840.113549.1.1.13": "SHA-512",
  "1.2.840.113549.1.1.14": "SHA-224",
  "1.2.840.10045.4.1": "SHA-1",
  "1.2.840.10045.4.3.1": "SHA-224",
  "1.2.840.10045.4.3.2": "SHA-256",
  "1.2.840.10045.4.3.3": "SHA-384",
  "1.2.840.10045.4.3.4": "SHA-512",
  "1.3.101.112": "Ed25519",
  "1.3.101.113": "Ed448",
};

const pss = "1.2.840.113549.1.1.10";

/** The hashes of RSA-PSS, which names its hash separately. */
const hashes: Readonly<Record<string, { readonly name: string; readonly bytes: number }>> = {
  "1.3.14.3.2.26": { name: "SHA-1", bytes: 20 },
  "2.16.840.1.101.3.4.2.1": { name: "SHA-256", bytes: 32 },
  "2.16.840.1.101.3.4.2.2": { name: "SHA-384", bytes: 48 },
  "2.16.840.1.101.3.4.2.3": { name: "SHA-512", bytes: 64 },
};

/** @throws Error if the certificate is not well-formed. */
export function detailsOf({ raw }: X509Certificate): CertificateDetails {
  // Loaded here, because only a provided certificate needs it.
  const pkijs = require("pkijs") as typeof Pkijs;
  const certificate = pkijs.Certificate.fromBER(raw);
  const extensions = certificate.extensions ?? [];
  const valueOf = (id: string): unknown => extensions.find(({ extnID }) => extnID === id)?.parsedValue;

  const basic = valueOf("2.5.29.19") as Pkijs.BasicConstraints | undefined;
  const usage = valueOf("2.5.29.15") as { valueBlock: { valueHexView: Uint8Array } } | undefined;
  const constraints = valueOf("2.5.29.30") as Pkijs.NameConstraints | undefined;
  const [usages = 0] = usage?.valueBlock.valueHexView ?? [];
  const [serial = 0] = certificate.serialNumber.valueBlock.valueHexView;
  const pathLength = basic?.pathLenConstraint;
  return {
    signature: signatureOf(pkijs, certificate.signatureAlgorithm),
    hasNegativeSerial: (serial & 0x80) !== 0,
    hasNamedCurve: isNumber(certificate.subjectPublicKeyInfo.algorithm.algorithmParams),
    version: certificate.version + 1,
    isAuthority: basic?.cA ?? false,
    pathLength: pathLength === undefined ? undefined : Number(pathLength),
    keyUsage: usage && { digitalSignature: (usages & 0x80) !== 0, keyCertSign: (usages & 0x04) !== 0 },
    extendedKeyUsage: (valueOf("2.5.29.37") as Pkijs.ExtKeyUsage | undefined)?.keyPurposes,
    names: namesIn((valueOf("2.5.29.17") as Pkijs.AltName | undefined)?.altNames ?? []),
    permitted: namesIn(constraints?.permittedSubtrees?.map(({ base }) => base) ?? []),
    excluded: namesIn(constraints?.excludedSubtrees?.map(({ base }) => base) ?? []),
    hasOtherConstraints: [...(constraints?.permittedSubtrees ?? []), ...(constraints?.excludedSubtrees ?? [])].some(
      // E-mail address, DNS name, URI, IP address.
      ({ base }) => ![1, 2, 6, 7].includes(base.type),
    ),
    critical: extensions.filter(({ critical }) => critical).map(({ extnID }) => extnID),
  };
}

function signatureOf(pkijs: typeof Pkijs, { algorithmId, algorithmParams }: Pkijs.AlgorithmIdentifier): string {
  if (algorithmId !== pss) return signatures[algorithmId] ?? algorithmId;
  const { hashAlgorithm, saltLength } = new pkijs.RSASSAPSSParams({ schema: algorithmParams as unknown });
  const { name, bytes } = hashes[hashAlgorithm.algorithmId] ?? { name: hashAlgorithm.algorithmId, bytes: 0 };
  // TLS allows no other length.
  return saltLength === bytes ? name : `RSA-PSS with a salt of ${String(saltLength)} bytes`;
}

/** Whether an ASN.1 value is an object identifier. */
function isNumber(value: unknown): boolean {
  return (value as { idBlock?: { tagNumber: number } } | undefined)?.idBlock?.tagNumber === 6;
}

function namesIn(names: readonly Pkijs.GeneralName[]): Name[] {
  return names.flatMap(({ type, value }): Name[] => {
    if (type === 2) return [{ dns: String(value) }];
    if (type !== 7) return [];
    return [{ ip: [...(value as { valueBlock: { valueHexView: Uint8Array } }).valueBlock.valueHexView] }];
  });
}

/** The name of the subject. */
export function nameOf(certificate: X509Certificate): string {
  return commonNameIn(certificate.subject);
}

/** The name of the issuer. */
export function issuerOf(certificate: X509Certificate): string {
  return commonNameIn(certificate.issuer);
}

/** Node gives a distinguished name as lines `CN=…`. */
function commonNameIn(name: string): string {
  return /^CN=(.*)$/m.exec(name)?.[1] ?? name.replaceAll("\n", ", ");
}
