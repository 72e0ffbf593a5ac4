import type * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";

/**
 * Where the registry's containers have the data, if it is on a disk. This folder must not exist in the image: an empty
 * volume would copy the owner of the image's folder.
 */
export const dataFolder = "/data";

/** Where the registry stores the pushed images. */
export interface Storage {
  /** For the registry's configuration: the name of the driver and its parameters. */
  readonly driver: Readonly<Record<string, object>>;

  /** The writable mounts of the registry's container. */
  readonly volumes: docker.types.input.ContainerVolume[];

  /** Refuses unusable storage before anything in it is changed. Default: no check. */
  readonly check?: { readonly failure: string; readonly script: string } | undefined;

  /** Shell script that gives the mounts to the registry's user. Runs as root with CAP_CHOWN, under `set -e`. */
  readonly setup: string;

  /** The blob files, for the proxy to serve. */
  readonly blobs: BlobFiles;
}

/** The location of the data on the host, for a container to mount. */
export type BlobFiles = { readonly volumeName: pulumi.Output<string> } | { readonly hostPath: string };

/** Creates the storage of a registry. */
export type StorageOf = (name: string, registry: pulumi.Resource) => Storage;
