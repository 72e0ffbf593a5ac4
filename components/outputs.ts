/**
 * What a stack gives: the program exports it, and whoever reads a stack gets it back. A secret is in clear only where
 * somebody asked for that.
 */
export interface Outputs {
  /** What people type after `docker login`: `host` or `host:port`. */
  readonly endpoint: string;
  /** `https://` and the endpoint. */
  readonly url: string;
  /** Where anybody may pull what `anonymous` names; empty where nobody may. */
  readonly anonymousEndpoint: string;
  readonly usernames: string[];
  /** By user. Secret. */
  readonly passwords: Record<string, string>;
  /** PEM; empty where clients trust the certificate without it. */
  readonly caCertificate: string;
  /** SHA-256 in hexadecimal pairs; empty like `caCertificate`. */
  readonly caFingerprint: string;
  /** Signs Docker in; like `checkCommand`, it asks for the password. */
  readonly loginCommand: string;
  /** Asks the registry whether it is there; prints 200. */
  readonly checkCommand: string;
  /** IPv4 address or name at which the host is reached. */
  readonly address: string;
  /** The DNS records that lead to the host, `NAME A ADDRESS` each; empty where none is needed. */
  readonly records: string[];
  /** Null where the machine is the user's own; absent before the first `up`. Secret. */
  readonly login?: MachineLogin | null;
}

/** How one signs in to the machine that a stack made. */
export interface MachineLogin {
  readonly address: string;
  readonly user: string;
  /** `ssh-ed25519 AAAA…` */
  readonly hostKey: string;
  /** In OpenSSH's format. */
  readonly privateKey: string;
}
