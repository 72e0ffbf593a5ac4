import { issue, type Issued, type Request } from "./certificates.ts";

/** A certificate for registry.example.com with its issuers, and its error. */
export interface Case {
  readonly chain: () => readonly Issued[];
  /** Undefined: all clients accept it. */
  readonly wrong?: RegExp;
}

const ec = (curve: string, ...more: string[]) => [
  "-algorithm",
  "EC",
  "-pkeyopt",
  `ec_paramgen_curve:${curve}`,
  ...more,
];
const rsa = (bits: number) => ["-algorithm", "RSA", "-pkeyopt", `rsa_keygen_bits:${String(bits)}`];
const algorithm = (name: string) => ["-algorithm", name];

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

const root = once(() => issue({ commonName: "Root" }));
const intermediate = once(() => issue({ commonName: "Intermediate", issuer: root() }));
const rsaRoot = once(() => issue({ commonName: "RSA root", keyType: rsa(2048) }));

const names = "DNS:registry.example.com";
const server = { commonName: "server", names };

const leaf = (more: Partial<Request>) => () => [
  issue({ ...server, issuer: intermediate(), ...more }),
  intermediate(),
  root(),
];
const signedByRsa = (digest: string) => () => [issue({ ...server, issuer: rsaRoot(), digest }), rsaRoot()];
const alone = (more: Partial<Request>) => () => [issue({ ...server, ...more })];
const below =
  (more: Partial<Request>, serverNames = names) =>
  () => {
    const issuer = issue({ commonName: "Issuer", issuer: root(), ...more });
    return [issue({ ...server, names: serverNames, issuer }), issuer, root()];
  };
const farBelow = (more: Partial<Request>) => () => {
  const top = issue({ commonName: "Top", ...more });
  const issuer = issue({ commonName: "Issuer", issuer: top });
  return [issue({ ...server, issuer }), issuer, top];
};
const having = (extensions: Readonly<Record<string, string>>) => ({ extensions });

const badKey = /has a key that is .*, not RSA of 2048 to 8192 bits, P-256, P-384, P-521 or Ed25519$/;
const badSignature = /is signed with .*, not with SHA-256, SHA-384, SHA-512 or Ed25519$/;
const noServer = /is not for servers: its extendedKeyUsage lacks serverAuth$/;
const noSigner = /its keyUsage lacks digitalSignature$/;
const noAuthority = /may not issue certificates: its basicConstraints lack CA:TRUE$/;
const leftOut = /may not issue certificates for registry\.example\.com: its nameConstraints leave that out$/;
const critical = /has a critical extension that clients don't understand: 1\.2\.3\.4$/;
const notCovered = /"registry\.example\.com" is not covered by the certificate/;
const written = ec("P-256", "-pkeyopt", "ec_param_enc:explicit");

/** The verdicts of Go's crypto/tls, OpenSSL and curl on each. */
export const cases: Readonly<Record<string, Case>> = {
  "a usual chain": { chain: leaf({}) },
  "a chain that is signed by RSA": { chain: signedByRsa("sha512") },
  "a P-384 key": { chain: leaf({ keyType: ec("P-384") }) },
  "a P-521 key": { chain: leaf({ keyType: ec("P-521") }) },
  "an Ed25519 key": { chain: leaf({ keyType: algorithm("ED25519") }) },
  "an RSA key of 2048 bits": { chain: leaf({ keyType: rsa(2048) }) },
  "an RSA key of 1024 bits": { chain: leaf({ keyType: rsa(1024) }), wrong: badKey },
  "a key on secp256k1": { chain: leaf({ keyType: ec("secp256k1") }), wrong: badKey },
  "a key on P-224": { chain: leaf({ keyType: ec("P-224") }), wrong: badKey },
  "a key on brainpoolP256r1": { chain: leaf({ keyType: ec("brainpoolP256r1") }), wrong: badKey },
  "a key on a curve written out": {
    chain: leaf({ keyType: written }),
    wrong: /has a key with explicit curve parameters/,
  },
  "an Ed448 key": { chain: leaf({ keyType: algorithm("ED448") }), wrong: badKey },
  "an RSA-PSS key": { chain: leaf({ keyType: algorithm("RSA-PSS") }), wrong: badKey },
  "an issuer with an Ed25519 key": { chain: below({ keyType: algorithm("ED25519") }) },
  "an issuer with a weak RSA key": { chain: below({ keyType: rsa(1024) }), wrong: badKey },
  "an issuer on secp256k1": { chain: below({ keyType: ec("secp256k1") }), wrong: badKey },
  "a root with a weak RSA key": { chain: farBelow({ keyType: rsa(1024) }), wrong: badKey },

  "an ECDSA signature over SHA-1": { chain: leaf({ digest: "sha1" }), wrong: badSignature },
  "an ECDSA signature over SHA-224": { chain: leaf({ digest: "sha224" }), wrong: badSignature },
  "an ECDSA signature over SHA-512": { chain: leaf({ digest: "sha512" }) },
  "an RSA signature over SHA-1": { chain: signedByRsa("sha1"), wrong: badSignature },
  "an RSA signature over MD5": { chain: signedByRsa("md5"), wrong: badSignature },
  "an RSA signature over SHA-224": { chain: signedByRsa("sha224"), wrong: badSignature },
  "an issuer signed over SHA-1": { chain: below({ digest: "sha1" }), wrong: badSignature },
  "a root that signed itself over SHA-1": { chain: farBelow({ digest: "sha1" }) },

  "extendedKeyUsage serverAuth": { chain: leaf(having({ extendedKeyUsage: "serverAuth,clientAuth" })) },
  "extendedKeyUsage clientAuth": { chain: leaf(having({ extendedKeyUsage: "clientAuth" })), wrong: noServer },
  "extendedKeyUsage any": { chain: leaf(having({ extendedKeyUsage: "anyExtendedKeyUsage" })), wrong: noServer },
  "an issuer's extendedKeyUsage serverAuth": { chain: below(having({ extendedKeyUsage: "serverAuth" })) },
  "an issuer's extendedKeyUsage clientAuth": {
    chain: below(having({ extendedKeyUsage: "clientAuth" })),
    wrong: noServer,
  },
  "a root's extendedKeyUsage clientAuth": {
    chain: farBelow(having({ extendedKeyUsage: "clientAuth" })),
    wrong: noServer,
  },

  "no keyUsage": { chain: leaf(having({ keyUsage: "" })) },
  "keyUsage digitalSignature among others": { chain: leaf(having({ keyUsage: "digitalSignature,keyEncipherment" })) },
  "keyUsage nonRepudiation": { chain: leaf(having({ keyUsage: "nonRepudiation" })), wrong: noSigner },
  "keyUsage keyEncipherment": {
    chain: leaf({ keyType: rsa(2048), ...having({ keyUsage: "keyEncipherment" }) }),
    wrong: noSigner,
  },

  "a server that may be an authority": {
    chain: leaf(having({ basicConstraints: "CA:TRUE", keyUsage: "digitalSignature,keyCertSign" })),
  },
  "a server that issued itself": { chain: alone({}) },
  "a server that issued itself, as an authority": {
    chain: alone(having({ basicConstraints: "CA:TRUE", keyUsage: "" })),
  },
  "an issuer with CA:FALSE": {
    chain: below(having({ basicConstraints: "CA:FALSE", keyUsage: "keyCertSign" })),
    wrong: noAuthority,
  },
  "an issuer without basicConstraints": { chain: below(having({ basicConstraints: "" })), wrong: noAuthority },
  "an issuer without extensions": { chain: below(having({ basicConstraints: "", keyUsage: "" })), wrong: noAuthority },
  "an issuer without keyCertSign": {
    chain: below(having({ keyUsage: "digitalSignature" })),
    wrong: /may not issue certificates: its keyUsage lacks keyCertSign$/,
  },
  "an issuer without keyUsage": { chain: below(having({ keyUsage: "" })) },
  "a root with CA:FALSE": { chain: farBelow(having({ basicConstraints: "CA:FALSE" })), wrong: noAuthority },
  "a root without extensions": { chain: farBelow(having({ basicConstraints: "", keyUsage: "" })) },
  "a root without keyCertSign": {
    chain: farBelow(having({ keyUsage: "digitalSignature" })),
    wrong: /may not issue certificates: its keyUsage lacks keyCertSign$/,
  },
  "an issuer with pathlen 0": { chain: below(having({ basicConstraints: "critical,CA:TRUE,pathlen:0" })) },
  "a root with pathlen 0 over an issuer": {
    chain: farBelow(having({ basicConstraints: "critical,CA:TRUE,pathlen:0" })),
    wrong: /its pathlen is 0$/,
  },

  "a serial number of 0": { chain: leaf({ serial: 0 }) },
  "a negative serial number": { chain: leaf({ serial: -5 }), wrong: /has a negative serial number$/ },
  "an issuer's negative serial number": { chain: below({ serial: -5 }), wrong: /has a negative serial number$/ },

  "a domain that the issuer may sign for": {
    chain: below(having({ nameConstraints: "critical,permitted;DNS:example.com" })),
  },
  "the same with a dot": { chain: below(having({ nameConstraints: "permitted;DNS:.example.com" })) },
  "the name that the issuer may sign for": {
    chain: below(having({ nameConstraints: "permitted;DNS:registry.example.com" })),
  },
  "networks that the issuer may sign for": {
    chain: below(having({ nameConstraints: "permitted;IP:10.0.0.0/255.0.0.0" })),
  },
  "another domain that the issuer may sign for": {
    chain: below(having({ nameConstraints: "permitted;DNS:example.org,permitted;DNS:ple.com" })),
    wrong: leftOut,
  },
  "only what is within the name that the issuer may sign for": {
    chain: below(having({ nameConstraints: "permitted;DNS:.registry.example.com" })),
    wrong: leftOut,
  },
  "only what is within the name that the issuer may not sign for": {
    chain: below(having({ nameConstraints: "excluded;DNS:.registry.example.com" })),
  },
  "a kind of name that not all clients understand": {
    chain: below(having({ nameConstraints: "critical,permitted;RID:1.2.3" })),
    wrong: /has a critical extension that clients don't understand: 2\.5\.29\.30$/,
  },
  "policies that older clients don't understand": {
    chain: below(having({ policyConstraints: "critical,requireExplicitPolicy:9" })),
    wrong: /has a critical extension that clients don't understand: 2\.5\.29\.36$/,
  },
  "a domain that the issuer may not sign for": {
    chain: below(having({ nameConstraints: "excluded;DNS:example.com" })),
    wrong: leftOut,
  },
  "another network that the issuer may sign for": {
    chain: below(having({ nameConstraints: "permitted;IP:10.0.0.0/255.0.0.0" }), `${names},IP:192.168.99.100`),
    wrong: /may not issue certificates for 192\.168\.99\.100: its nameConstraints leave that out$/,
  },
  "another domain that the root may sign for": {
    chain: farBelow(having({ nameConstraints: "permitted;DNS:example.org" })),
    wrong: leftOut,
  },

  "an unknown extension": { chain: leaf(having({ "1.2.3.4": "ASN1:UTF8String:x" })) },
  "an unknown critical extension": {
    chain: leaf(having({ "1.2.3.4": "critical,ASN1:UTF8String:x" })),
    wrong: critical,
  },
  "an issuer's unknown critical extension": {
    chain: below(having({ "1.2.3.4": "critical,ASN1:UTF8String:x" })),
    wrong: critical,
  },
  "critical certificatePolicies": { chain: leaf(having({ certificatePolicies: "critical,2.23.140.1.2.1" })) },
  "OCSP that must be stapled": { chain: leaf(having({ tlsfeature: "status_request" })) },

  "a wildcard": { chain: leaf({ names: "DNS:*.example.com" }) },
  "a name in upper case": { chain: leaf({ names: "DNS:REGISTRY.Example.COM" }) },
  "a name beside stranger ones": { chain: leaf({ names: `DNS:r*.example.com,DNS:a_b,email:a@b.c,${names}` }) },
  "a name that is not ASCII": {
    chain: leaf({ names: `DNS:é.example.com,${names}` }),
    wrong: /has a name that is not ASCII/,
  },
  ...Object.fromEntries(
    ["r*.example.com", "*y.example.com", "*.*.com", "*.com", "*", "registry.*.com", "registry.example.com."].map(
      (name): [string, Case] => [`the name ${name}`, { chain: leaf({ names: `DNS:${name}` }), wrong: notCovered }],
    ),
  ),
};
