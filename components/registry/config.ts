import { stringify } from "yaml";

export interface RegistryConfig {
  /** The TCP port on the private network. */
  readonly port: number;
  /** The storage driver, by its name, with its parameters. */
  readonly storage: Readonly<Record<string, object>>;
  /** Whether manifests and blobs can be deleted. */
  readonly deletion: boolean;
  /** Secret: signs the state of uploads under way, so that they survive a restart. */
  readonly httpSecret: string;
}

/**
 * The registry's whole configuration file, YAML. Nothing is left to the image's defaults, which are made for
 * development: deletion on, debug log, a metrics port open.
 */
export function renderRegistryConfig(config: RegistryConfig): string {
  return stringify({
    version: 0.1,
    // The proxy writes the access log; a second one, at level info, costs a third of the requests per second.
    log: { level: "warn", formatter: "json", accesslog: { disabled: true } },
    storage: {
      ...config.storage,
      delete: { enabled: config.deletion },
      // No cache of descriptors: it says that a blob is there, and how long it is, when the disk has lost it.
      // What an upload that was given up left behind is removed after a week.
      maintenance: { uploadpurging: { enabled: true, age: "168h", interval: "24h", dryrun: false } },
    },
    http: {
      addr: `:${String(config.port)}`,
      secret: config.httpSecret,
      headers: {
        "X-Content-Type-Options": ["nosniff"],
        // For the proxy alone: what it keeps of an answer was out of date long ago, so that it asks whether it still holds.
        "X-Accel-Expires": ["@1"],
      },
    },
    health: { storagedriver: { enabled: true, interval: "10s", threshold: 3 } },
  });
}
