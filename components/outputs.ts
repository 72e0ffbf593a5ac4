/** The outputs of a stack: the program exports them, `cli/` reads them. Secrets are in clear text only on request. */
export interface Outputs {
  /** What people type after `docker login`: `host` or `host:port`. */
  readonly endpoint: string;
  /** `https://` and the endpoint. */
  readonly url: string;
  /** The endpoint for pulling without a password; empty unless `anonymous` is set. */
  readonly anonymousEndpoint: string;
  readonly usernames: string[];
  /** Secret: the password of each user, by name. */
  readonly passwords: Record<string, string>;
  /** PEM; empty if clients trust the certificate without it. */
  readonly caCertificate: string;
  /** SHA-256 in hexadecimal pairs; empty if `caCertificate` is. */
  readonly caFingerprint: string;
  /** The files with which clients trust the registry, by their path; empty if `caCertificate` is. */
  readonly trustBundle: Record<string, string>;
  /** The command that signs Docker in. It asks for the password. */
  readonly loginCommand: string;
  /** The command that checks the registry. It asks for the password and prints 200. */
  readonly checkCommand: string;
  /** The IPv4 address or name of the host. */
  readonly address: string;
  /** The DNS records that point at the host, each `NAME A ADDRESS`; empty if none is needed. */
  readonly records: string[];
  /** Secret. Null if the machine belongs to the user; absent before the first `up`. */
  readonly login?: MachineLogin | null;
}

/** How to sign in to the machine of a stack. */
export interface MachineLogin {
  readonly address: string;
  readonly user: string;
  /** `ssh-ed25519 AAAA…` */
  readonly hostKey: string;
  /** In OpenSSH format. */
  readonly privateKey: string;
}
