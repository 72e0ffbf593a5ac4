import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";

import { registryUser } from "../user.ts";
import type { StorageOf } from "./storage.ts";

export interface FilesystemArgs {
  /** An absolute folder of the host for the data. Default: a volume. A change starts with what is in the new folder. */
  readonly path: string | undefined;
  /** The name of the volume, where there is no `path`. */
  readonly volumeName: string;
}

/** A folder that the image doesn't have: an empty volume would take the owner of one that it has. */
const dataFolder = "/data";

/**
 * Refuses a folder whose files are somebody else's, before they are given away. One with a registry's data that has its
 * owner already is ours, and so is what another registry left; a disk of its own has `lost+found`.
 */
const refuseForeign = `set -e
cd ${dataFolder}
[ ! -d docker/registry/v2 ] || [ "$(stat -c %u:%g .)" != ${registryUser} ] || exit 0
foreign=$(ls -A | grep -vxE 'docker|lost\\+found' || true)
[ ! -e docker ] || [ "$(ls -A docker):$(ls -A docker/registry)" = registry:v2 ] || foreign="docker $foreign"
[ -n "$foreign" ] || exit 0
echo "it holds other files: $(echo "$foreign" | head -n 3 | tr '\\n' ' ')"
echo "Nothing in it was changed. Name an empty folder, or one with the data of a registry, by the setting dataPath."
exit 1`;

/** The data's folder itself gets its owner last, so that a run cut short is taken up again. */
const giveToUser = `if [ "$(stat -c %u:%g:%a ${dataFolder})" != ${registryUser}:750 ]; then
  chown 0:0 ${dataFolder}
  chmod 0750 ${dataFolder}
  find ${dataFolder} -depth -exec chown -h ${registryUser} {} +
fi`;

/** The registry's data on a disk of the host: in a volume of Docker's, which outlives the stack, or in a folder. */
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

/** `destroy` leaves the volume alone, and the next `up` takes it again. */
function createVolume(name: string, volumeName: string, parent: pulumi.Resource): pulumi.Output<string> {
  return new docker.Volume(`${name}-data`, { name: volumeName }, { parent, retainOnDelete: true }).name;
}
