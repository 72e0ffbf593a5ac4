import type * as docker from "@pulumi/docker";

/** A certificate whose texts are known. */
export interface CertificateTexts {
  /** PEM: the server's certificate, then its issuers. */
  readonly chain: string;
  /** Secret: its private key, PEM. */
  readonly key: string;
}

/** The volumes through which the programs that renew a certificate meet the proxy. */
export interface CertificateVolumes {
  /** The certificate and its key, for the proxy to read at each handshake. */
  readonly certificate: docker.types.input.ContainerVolume;
  /** The answers to an authority's challenges, for the proxy to serve. */
  readonly challenges: docker.types.input.ContainerVolume;
}

/** Where these volumes are in each container. */
export const servedFolders = { certificate: "/certificate", challenges: "/challenges" } as const;

/** The names of the files next to each other in the folder `current` of the certificate's volume. */
export const servedFiles = { certificate: "tls.crt", key: "tls.key" } as const;
