import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";

import { keeperFolder } from "../../care/keeper/layout.ts";
import { registryUser } from "../user.ts";
import { dataFolder, type StorageOf } from "./storage.ts";

export interface FilesystemArgs {
  /** The absolute path of the data folder on the host. Default: a volume. A change serves what is in the new folder. */
  readonly path: string | undefined;
  /** The name of the volume, used without a `path`. */
  readonly volumeName: string;
}

/**
 * Refuses a folder with other files, before their owner is changed. A folder with registry data is accepted, whether
 * its owner is already set or another registry left it; a copy of our own also has what the keeper left there. The root
 * of a file system also has `lost+found`.
 */
const refuseForeign = `set -e
cd ${dataFolder}
[ ! -d docker/registry/v2 ] || [ "$(stat -c %u:%g .)" != ${registryUser} ] || exit 0
own=docker
[ ! -d docker/registry/v2 ] && [ "$(stat -c %u:%g .)" != ${registryUser} ] || own='docker|${keeperFolder}'
foreign=$(ls -A | grep -vxE "$own|lost\\+found" || true)
[ ! -e docker ] || [ "$(ls -A docker):$(ls -A docker/registry)" = registry:v2 ] || foreign="docker $foreign"
[ -n "$foreign" ] || exit 0
echo "it holds other files: $(echo "$foreign" | head -n 3 | tr '\\n' ' ')"
echo "Nothing in it was changed. Name an empty folder, or one with the data of a registry, by the setting dataPath."
exit 1`;

/** The owner of the data folder itself is set last, so that the next run finishes an interrupted one. */
const giveToUser = `if [ "$(stat -c %u:%g:%a ${dataFolder})" != ${registryUser}:750 ]; then
  chown 0:0 ${dataFolder}
  chmod 0750 ${dataFolder}
  find ${dataFolder} -depth -exec chown -h ${registryUser} {} +
fi`;

/** Stores the registry's data on a disk of the host: in a Docker volume, which outlives the stack, or in a folder. */
export function filesystem({ path, volumeName }: FilesystemArgs): StorageOf {
  return (name, registry) => {
    const blobs = path === undefined ? { volumeName: createVolume(name, volumeName, registry) } : { hostPath: path };
    return {
      driver: { filesystem: { rootdirectory: dataFolder } },
      volumes: [{ ...blobs, containerPath: dataFolder, readOnly: false }],
      check:
        path === undefined
          ? undefined
          : { failure: `the folder ${path} can't be used for the data`, script: refuseForeign },
      setup: giveToUser,
      blobs,
    };
  };
}

/** `destroy` keeps the volume, and the next `up` uses it again. */
function createVolume(name: string, volumeName: string, parent: pulumi.Resource): pulumi.Output<string> {
  return new docker.Volume(`${name}-data`, { name: volumeName }, { parent, retainOnDelete: true }).name;
}
