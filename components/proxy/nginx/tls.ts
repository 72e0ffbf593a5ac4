import { servedFiles, servedFolders } from "../../certificate/served.ts";
import { configFiles } from "./files.ts";

export interface Tls {
  /** Whether the certificate is in a volume, where it is renewed without a new configuration. */
  readonly isRenewed: boolean;
}

/** The ciphers for TLS 1.2. */
const ciphers = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"].flatMap((cipher) => [
  `ECDHE-ECDSA-${cipher}`,
  `ECDHE-RSA-${cipher}`,
]);

const ownFiles = `\
  ssl_certificate ${configFiles.certificate};
  ssl_certificate_key ${configFiles.key};
`;

/**
 * A path with a variable is read at each handshake, so that a rename of the folder is all that it takes. A cache would
 * keep certificate and key apart, and not fit each other for a while.
 */
const renewedFiles = `\
  map $ssl_server_name $served {
    default current;
  }
  ssl_certificate ${servedFolders.certificate}/$served/${servedFiles.certificate};
  ssl_certificate_key ${servedFolders.certificate}/$served/${servedFiles.key};
`;

/** HTTP/2 stays off: registry clients don't need it, and with it nginx reads uploads from afar far slower. */
export function renderTls({ isRenewed }: Tls): string {
  return `\
${isRenewed ? renewedFiles : ownFiles}\
  ssl_protocols TLSv1.2 TLSv1.3;
  # The cheapest of those that are strong; ChaCha20 for clients that put it first, as their processor has no AES.
  ssl_prefer_server_ciphers on;
  ssl_ciphers ${ciphers.join(":")};
  ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256;
  ssl_session_cache shared:tls:4m;
  ssl_session_timeout 1h;
  ssl_conf_command Options KTLS,PrioritizeChaCha;
`;
}
