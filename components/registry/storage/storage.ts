import type * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";

/** Where the registry keeps what was pushed. */
export interface Storage {
  /** What the registry's configuration says of it: the driver, by its name, with its parameters. */
  readonly driver: Readonly<Record<string, object>>;

  /** What the registry's container has to mount for it, to write. */
  readonly volumes: docker.types.input.ContainerVolume[];

  /** Refuses what can't be used, before anything there is changed. Default: all can. */
  readonly check?: { readonly failure: string; readonly script: string } | undefined;

  /** Makes what is mounted the registry's, as root with CAP_CHOWN. Shell, under `set -e`. */
  readonly setup: string;

  /** The blobs as files, from where the proxy serves them. */
  readonly blobs: BlobFiles;
}

/** Where the data is on the host, for a container to mount. */
export type BlobFiles = { readonly volumeName: pulumi.Output<string> } | { readonly hostPath: string };

/** Makes a storage for the registry that is given. */
export type StorageOf = (name: string, registry: pulumi.Resource) => Storage;
