import type { Rule } from "../components/access.ts";
import type { CareSettings } from "../components/care/care.ts";
import type { CertificateSource } from "../components/certificate/certificate.ts";
import type { User } from "../components/credentials.ts";
import type { ProxyLimits } from "../components/proxy/nginx/nginxConf.ts";
import type { AnonymousPull } from "./access.ts";
import type { DnsSettings } from "./dns.ts";
import type { HostSettings } from "./host.ts";
import type { images } from "./images.ts";

/** The settings of a registry: valid and complete, with secrets wrapped as Outputs. */
export interface Settings {
  readonly host: HostSettings;
  readonly hostname?: string | undefined;
  readonly port: number;
  readonly images: Readonly<Record<keyof typeof images, string>>;
  readonly users: readonly User[];
  readonly rules: readonly Rule[];
  readonly anonymous?: AnonymousPull | undefined;
  readonly deletion: boolean;
  /** Seconds. */
  readonly drainTimeout: number;
  readonly limits: ProxyLimits;
  readonly certificate: CertificateSource;
  /** Default: nobody looks after the data. */
  readonly care?: CareSettings | undefined;
  /** Default: no record is created; an output lists the ones to create. */
  readonly dns?: DnsSettings | undefined;
}

/** The settings that could be read; undefined for the others. */
export type Parsed = { readonly [K in keyof Settings]?: Settings[K] | undefined };
