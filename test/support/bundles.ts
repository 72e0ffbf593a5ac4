import { execFileSync } from "node:child_process";

import { issue, type Issued, type Request } from "./certificates.ts";

/** A bundle and its key as people have them, for registry.example.com. */
export interface BundleCase {
  readonly bundle: () => string;
  readonly key: () => string;
  readonly passphrase?: string;
  /** What is wrong: the part and the sentence. Undefined: it is accepted, and served. */
  readonly wrong?: RegExp;
}

const names = "DNS:registry.example.com";
const rsa = (bits: number) => ["-algorithm", "RSA", "-pkeyopt", `rsa_keygen_bits:${String(bits)}`];
const ec = (curve: string) => ["-algorithm", "EC", "-pkeyopt", `ec_paramgen_curve:${curve}`];

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

const root = once(() => issue({ commonName: "Root" }));
const top = once(() => issue({ commonName: "Top issuer", issuer: root() }));
const issuer = once(() => issue({ commonName: "Issuer", issuer: top() }));
const server = once(() => issue({ commonName: "server", names, issuer: issuer() }));
const other = once(() => issue({ commonName: "Other" }));
const joined = (...chain: readonly Issued[]) => chain.map(({ certificate }) => certificate).join("");
const usual = once(() => joined(server(), issuer(), top(), root()));
const serverKey = () => server().key;

/** The server's certificate, made otherwise, with its issuers. */
function made(request: Partial<Request>): Pick<BundleCase, "bundle" | "key"> {
  const leaf = once(() => issue({ commonName: "server", names, issuer: issuer(), ...request }));
  return { bundle: () => joined(leaf(), issuer(), top(), root()), key: () => leaf().key };
}

/** A key as `openssl ARGS` writes it. */
function written(args: string, key: () => string = serverKey): () => string {
  return () => execFileSync("openssl", args.split(" "), { input: key(), encoding: "utf8", stdio: "pipe" });
}

/** PEM with other bytes in its DER, from `before` to `after`, both in hex. */
function altered(pem: string, before: string, after: string): string {
  return pem.replace(/(-----BEGIN [A-Z ]+-----)([^-]+)/, (_, begin: string, text: string) => {
    const hex = Buffer.from(text, "base64").toString("hex");
    if (!hex.includes(before)) throw new Error(`no ${before} in ${hex}`);
    return `${begin}\n${Buffer.from(hex.replace(before, after), "hex").toString("base64")}\n`;
  });
}

/** A certificate with a key of a kind that nobody knows. */
const unreadable = (pem: string) => altered(pem, "06072a8648ce3d0201", "06072a8648ce3d0209");

const ofRsa = made({ keyType: rsa(2048) });
const encrypted = written("pkcs8 -topk8 -v2 aes-256-cbc -passout pass:correct-horse");
const noCertificate = /^bundle holds no readable PEM certificate$/;
const noKey = /^key is not a readable PEM private key$/;

export const bundles: Readonly<Record<string, BundleCase>> = {
  "the server first, then each issuer, then the root": { bundle: usual, key: serverKey },
  "the root on top": { bundle: () => joined(root(), top(), issuer(), server()), key: serverKey },
  "the root right after the server": { bundle: () => joined(server(), root(), top(), issuer()), key: serverKey },
  "the issuers in the wrong order": { bundle: () => joined(server(), top(), issuer(), root()), key: serverKey },
  "a certificate twice": { bundle: () => joined(server(), issuer(), issuer(), top(), root(), root()), key: serverKey },
  "the server twice": { bundle: () => joined(server(), server(), issuer(), top(), root()), key: serverKey },
  "lines that end as on Windows": {
    bundle: () => usual().replaceAll("\n", "\r\n"),
    key: () => serverKey().replaceAll("\n", "\r\n"),
  },
  "a byte order mark": { bundle: () => `\ufeff${usual()}`, key: () => `\ufeff${serverKey()}` },
  "text between the certificates": {
    bundle: () => usual().replaceAll("-----BEGIN", "subject=CN = somebody\n# a comment\n-----BEGIN"),
    key: () => `Bag Attributes\n    friendlyName: mine\nKey Attributes: <No Attributes>\n${serverKey()}`,
  },
  "no line break at its end": { bundle: () => usual().trimEnd(), key: () => serverKey().trimEnd() },
  "an RSA key of 2048 bits": ofRsa,
  "an RSA key of 4096 bits": made({ keyType: rsa(4096) }),
  "a P-384 key": made({ keyType: ec("P-384") }),
  "an Ed25519 key": made({ keyType: ["-algorithm", "ED25519"] }),
  "a key in PKCS #1": { bundle: ofRsa.bundle, key: written("rsa -traditional", ofRsa.key) },
  "a key in SEC 1": { bundle: usual, key: written("ec") },
  "a key in SEC 1 after its curve": {
    bundle: usual,
    key: () => `${written("ecparam -name prime256v1")()}${written("ec")()}`,
  },
  "an encrypted key with its passphrase": { bundle: usual, key: encrypted, passphrase: "correct-horse" },
  "a key that is encrypted as in former times": {
    bundle: usual,
    key: written("ec -aes256 -passout pass:correct-horse"),
    passphrase: "correct-horse",
  },
  "a passphrase that the key doesn't need": { bundle: usual, key: serverKey, passphrase: "correct-horse" },
  "a wildcard": made({ names: "DNS:*.example.com" }),
  "a name and an address": made({ names: `IP:192.0.2.1,${names}` }),
  "no common name that clients type": made({ commonName: "Some department" }),

  "an encrypted key without its passphrase": {
    bundle: usual,
    key: encrypted,
    wrong: /^passphrase is missing: the key is encrypted$/,
  },
  "an encrypted key with another passphrase": {
    bundle: usual,
    key: encrypted,
    passphrase: "battery-staple",
    wrong: /^passphrase does not open the key$/,
  },
  "an encrypted key with another passphrase, under issuers with the root on top": {
    bundle: () => joined(root(), top(), issuer(), server()),
    key: encrypted,
    passphrase: "battery-staple",
    wrong: /^passphrase does not open the key$/,
  },
  "a key that is encrypted with a cipher that OpenSSL doesn't know": {
    bundle: usual,
    key: () => altered(encrypted(), "060960864801650304012a", "060960864801650304017f"),
    passphrase: "correct-horse",
    wrong: /^key is encrypted with a cipher that is not supported: .*openssl pkcs8 -topk8 -v2 aes256/,
  },
  "a server's key of an unknown kind": {
    bundle: () => unreadable(server().certificate) + joined(issuer(), top(), root()),
    key: serverKey,
    wrong: /^bundle holds a certificate with a key that can't be read: server$/,
  },
  "an issuer's key of an unknown kind": {
    bundle: () => joined(server()) + unreadable(issuer().certificate) + joined(top(), root()),
    key: serverKey,
    wrong: /^bundle holds a certificate with a key that can't be read: Issuer$/,
  },
  "an expired certificate": { ...made({ days: -1 }), wrong: /^bundle is out of date: server expired on / },
  "a certificate of the future": {
    ...made({ begins: 1 }),
    wrong: /^bundle is not valid yet: server begins on /,
  },
  "the key of another certificate": {
    bundle: usual,
    key: () => other().key,
    wrong: /^key is not the key of the certificate$/,
  },
  "a missing issuer": {
    bundle: () => joined(server(), top(), root()),
    key: serverKey,
    wrong: /^bundle is incomplete: the certificate of Issuer, which issued server, is missing$/,
  },
  "a missing root that no public authority is": {
    bundle: () => joined(server(), issuer(), top()),
    key: serverKey,
    wrong: /^bundle is incomplete: the certificate of Root, which issued Top issuer, is missing$/,
  },
  "the server alone": {
    bundle: () => joined(server()),
    key: serverKey,
    wrong: /^bundle is incomplete: the certificate of Issuer/,
  },
  "a certificate that has nothing to do with it": {
    bundle: () => usual() + joined(other()),
    key: serverKey,
    wrong: /^bundle has one certificate too many: Other is no issuer of server$/,
  },
  "a wildcard two labels deep": {
    ...made({ names: "DNS:*.*.com" }),
    wrong: /^hostname "registry\.example\.com" is not covered/,
  },
  "another name": { ...made({ names: "DNS:other.example.com" }), wrong: /^hostname .* which is for DNS:other/ },
  "an address only": {
    ...made({ names: "IP:192.0.2.1" }),
    wrong: /^hostname .* which is for IP Address:192\.0\.2\.1$/,
  },
  "its name as the common name only": {
    ...made({ commonName: "registry.example.com", names: "" }),
    wrong: /^hostname .* which is for no name at all$/,
  },
  "an RSA key of 1024 bits": {
    ...made({ keyType: rsa(1024) }),
    wrong: /^bundle would be refused by clients: .* RSA of 1024 bits/,
  },
  "garbage for certificates": { bundle: () => "garbage", key: serverKey, wrong: noCertificate },
  "a cut certificate": {
    bundle: () => usual().replace(/\n.*\n-----END/, "\n-----END"),
    key: serverKey,
    wrong: noCertificate,
  },
  "no certificates at all": { bundle: () => "", key: serverKey, wrong: noCertificate },
  "garbage for a key": { bundle: usual, key: () => "garbage", wrong: noKey },
  "no key at all": { bundle: usual, key: () => "", wrong: noKey },
  "a certificate in place of the key": { bundle: usual, key: usual, wrong: noKey },
};
