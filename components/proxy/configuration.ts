import type { CertificateTexts } from "../certificate/served.ts";
import { shortDigest } from "../digest.ts";
import type { Endpoint } from "../endpoint.ts";
import type { Access } from "./nginx/access.ts";
import { configFiles, placeholderFiles } from "./nginx/files.ts";
import { type ProxyLimits, renderNginxConf } from "./nginx/nginxConf.ts";
import { type Admissions, admissions } from "./nginx/server.ts";
import { renderHtpasswd } from "./nginx/signIn.ts";

export interface Configuration extends Access {
  /** The name that clients type. */
  readonly serverName: string;
  /** Whether clients also connect over IPv6. */
  readonly ipv6: boolean;
  readonly endpoints: readonly Endpoint[];
  /** The registry's containers on the private network: `host:port`. */
  readonly registries: readonly string[];
  readonly limits: ProxyLimits;
  readonly certificate: CertificateTexts;
  /** Whether another certificate, in its volume, is renewed without a new configuration. This one is a placeholder. */
  readonly isRenewed: boolean;
  /** Whether a keeper watches the disk, and says when it is full. */
  readonly isWatched: boolean;
  /** Secret: the bcrypt hash of each user's password, by name. */
  readonly hashes: Readonly<Record<string, string>>;
}

/** The ports inside the container. IPv6 has its own, as the engine lists a port published twice in random order. */
export const internalPorts: Readonly<Record<Endpoint["name"], { readonly ipv4: number; readonly ipv6: number }>> = {
  registry: { ipv4: 8443, ipv6: 8445 },
  anonymous: { ipv4: 8444, ipv6: 8446 },
  challenges: { ipv4: 8080, ipv6: 8082 },
};

export const statusPort = 8081;
export const dataFolder = "/data";

/**
 * The proxy's configuration: contents by file name. One file names the revision, which changes when any file changes.
 *
 * @param admit How each audience is authenticated. Default: as in the product.
 */
export function renderConfiguration(
  { endpoints, ipv6, limits, certificate, hashes, ...rest }: Configuration,
  admit: Admissions = admissions,
): Record<string, string> {
  const served = ({ name, audience }: Endpoint) => {
    const { ipv4: port, ipv6: other } = internalPorts[name];
    return { audience, ports: ipv6 ? [port, other] : [port] };
  };
  const conf = {
    ...rest,
    ...limits,
    endpoints: endpoints.map(served),
    statusPort,
    dataFolder,
    registryPort: endpoints.find(({ name }) => name === "registry")?.port ?? 443,
    passwordRevisions: Object.fromEntries(Object.entries(hashes).map(([name, hash]) => [name, shortDigest(hash)])),
  };
  const certificateFiles = rest.isRenewed ? placeholderFiles : configFiles;
  const render = (revision: string) => ({
    [configFiles.conf]: renderNginxConf({ ...conf, revision }, admit),
    [certificateFiles.certificate]: certificate.chain,
    [certificateFiles.key]: certificate.key,
    [configFiles.htpasswd]: renderHtpasswd(hashes),
  });
  const revision = shortDigest(JSON.stringify(render("")));
  return { ...render(revision), revision };
}
