import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";

import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";

import type { AcmeSource } from "./acme/acme.ts";
import { selfSignedRoot } from "./bundle.ts";
import { renewalDays } from "./lifetimes.ts";
import type { CertificateTexts } from "./served.ts";

/** Where the proxy's certificate comes from. */
export type CertificateSource =
  /** The stack's own certificate authority, which clients must trust, and a short-lived certificate that it signs. */
  | { readonly mode: "selfSigned" }
  /** A certificate issued elsewhere. `validateBundle` checks it before anything is created. */
  | {
      readonly mode: "provided";
      /** PEM: the server's certificate, then each issuer in order. */
      readonly bundle: string;
      /** Secret: the private key of the first certificate, PEM, not encrypted. */
      readonly key: pulumi.Output<string>;
    }
  /** A certificate that an authority issues, and that is renewed without an `up`: see `Acme`. */
  | AcmeSource;

/** The TCP port at which an authority asks the proxy for the answers to its challenges; undefined if none does. */
export function challengePortOf(source: CertificateSource | undefined): number | undefined {
  return source?.mode === "acme" && source.challenge.type === "http-01" ? source.challenge.port : undefined;
}

export interface CertificateArgs {
  readonly source: CertificateSource;
  /** The DNS names and IP addresses that clients type. A change renews a self-signed certificate, not its authority. */
  readonly hosts: pulumi.Input<string[]>;
}

const hours = { perDay: 24, perYear: 24 * 365 };

/** The certificate with which the proxy proves its identity. */
export class Certificate extends pulumi.ComponentResource {
  /** Secret: its texts or, where an authority issues it, those of a placeholder that says that none was issued yet. */
  readonly texts: pulumi.Output<CertificateTexts>;
  /** The authority that clients must trust, PEM; empty if their trust store already has it. */
  readonly caCertificate: pulumi.Output<string>;
  /** The SHA-256 fingerprint of that authority, `AB:CD:…`; empty if there is none to trust. */
  readonly caFingerprint: pulumi.Output<string>;

  constructor(name: string, args: CertificateArgs, opts?: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:Certificate", name, {}, opts);

    const { texts, caCertificate } = this.obtain(name, args);
    this.texts = pulumi.secret(texts);
    this.caCertificate = caCertificate;
    this.caFingerprint = caCertificate.apply((pem) => (pem === "" ? "" : new X509Certificate(pem).fingerprint256));

    this.registerOutputs({ caFingerprint: this.caFingerprint });
  }

  private obtain(name: string, args: CertificateArgs) {
    switch (args.source.mode) {
      case "selfSigned":
        return this.sign(name, pulumi.output(args.hosts));
      case "provided":
        return {
          texts: pulumi.output({ chain: args.source.bundle, key: args.source.key }),
          caCertificate: pulumi.output(selfSignedRoot(args.source.bundle)),
        };
      case "acme":
        return { texts: this.createPlaceholder(name), caCertificate: pulumi.output(args.source.authority ?? "") };
      default:
        return args.source satisfies never;
    }
  }

  /** A long-lived authority, so that clients trust it once, and a short-lived certificate, which is renewed. */
  private sign(name: string, hosts: pulumi.Output<string[]>) {
    const parent = { parent: this };

    const caKey = this.createKey(`${name}-ca-key`);
    const ca = new tls.SelfSignedCert(
      `${name}-ca`,
      {
        privateKeyPem: caKey.privateKeyPem,
        subject: { commonName: `${name} CA` },
        isCaCertificate: true,
        setSubjectKeyId: true,
        allowedUses: ["cert_signing", "crl_signing"],
        validityPeriodHours: 10 * hours.perYear,
        earlyRenewalHours: hours.perYear,
      },
      parent,
    );

    const key = this.createKey(`${name}-key`);
    const request = new tls.CertRequest(
      `${name}-request`,
      {
        privateKeyPem: key.privateKeyPem,
        subject: hosts.apply((all) => ({ commonName: commonName(all) })),
        dnsNames: hosts.apply((all) => all.filter((host) => isIP(host) === 0)),
        ipAddresses: hosts.apply((all) => all.filter((host) => isIP(host) !== 0)),
      },
      parent,
    );
    const leaf = new tls.LocallySignedCert(
      `${name}-leaf`,
      {
        certRequestPem: request.certRequestPem,
        caPrivateKeyPem: caKey.privateKeyPem,
        caCertPem: ca.certPem,
        allowedUses: ["digital_signature", "server_auth"],
        validityPeriodHours: 90 * hours.perDay,
        // Any `up` in its last days renews it.
        earlyRenewalHours: renewalDays * hours.perDay,
      },
      parent,
    );

    return { texts: pulumi.output({ chain: leaf.certPem, key: key.privateKeyPem }), caCertificate: ca.certPem };
  }

  /** What is served until an authority has issued a certificate. */
  private createPlaceholder(name: string): pulumi.Output<CertificateTexts> {
    const key = this.createKey(`${name}-placeholder-key`);
    const certificate = new tls.SelfSignedCert(
      `${name}-placeholder`,
      {
        privateKeyPem: key.privateKeyPem,
        subject: { commonName: "no certificate was issued yet" },
        allowedUses: ["digital_signature", "server_auth"],
        validityPeriodHours: 398 * hours.perDay,
      },
      { parent: this },
    );
    return pulumi.all([certificate.certPem, key.privateKeyPem]).apply(([chain, text]) => ({ chain, key: text }));
  }

  private createKey(name: string): tls.PrivateKey {
    return new tls.PrivateKey(name, { algorithm: "ECDSA", ecdsaCurve: "P256" }, { parent: this });
  }
}

/** X.509 allows a common name of 64 characters; clients read the alternative names anyway. */
function commonName(hosts: string[]): string {
  return hosts.find((host) => host.length <= 64) ?? "registry";
}
