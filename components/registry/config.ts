import { stringify } from "yaml";

export interface RegistryConfig {
  /** The TCP port on the private network. */
  readonly port: number;
  /** The storage driver: its name and its parameters. */
  readonly storage: Readonly<Record<string, object>>;
  /** Whether manifests and blobs can be deleted. */
  readonly deletion: boolean;
  /** How long a registry that was told to stop may finish its requests, in seconds. */
  readonly drainTimeout: number;
  /** Secret: signs the state of unfinished uploads, so that they survive a restart. */
  readonly httpSecret: string;
}

/**
 * The registry's complete configuration file, YAML. It replaces the image's defaults, which are meant for development:
 * deletion on, debug log, an open metrics port.
 */
export function renderRegistryConfig(config: RegistryConfig): string {
  return stringify({
    version: 0.1,
    // The proxy writes the access log; a second one, at level info, costs a third of the requests per second.
    log: { level: "warn", formatter: "json", accesslog: { disabled: true } },
    storage: {
      ...config.storage,
      delete: { enabled: config.deletion },
      // No descriptor cache: it would still report a blob and its length after the disk has lost it.
      // The data of an abandoned upload is removed after a week.
      maintenance: { uploadpurging: { enabled: true, age: "168h", interval: "24h", dryrun: false } },
    },
    http: {
      addr: `:${String(config.port)}`,
      secret: config.httpSecret,
      draintimeout: `${String(config.drainTimeout)}s`,
      headers: {
        "X-Content-Type-Options": ["nosniff"],
        // For the proxy only: a cached answer is always expired, so that the proxy revalidates it each time.
        "X-Accel-Expires": ["@1"],
      },
    },
    health: { storagedriver: { enabled: true, interval: "10s", threshold: 3 } },
  });
}
