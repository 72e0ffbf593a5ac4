import { createHash } from "node:crypto";

import { cached } from "../support/cache.ts";
import { docker, succeed } from "../support/run.ts";
import { settings } from "../support/settings.ts";
import { machineImage } from "./machineImage.ts";
import { privileges } from "./privileges.ts";

/**
 * Makes an engine load images from the standard input, and prints what it stores. Saving one reads each of its files
 * again and compares checksums: a page lost on its way to the disk would be in every later machine.
 */
const load = `
dockerd --bridge none --iptables=false >&2 &
until docker version >/dev/null 2>&1; do sleep 0.1; done
docker load --quiet >&2
sync
docker save "$@" >/dev/null
kill $!
wait
exec tar --directory /var/lib/docker --xattrs --xattrs-include '*' --create image overlay2`;

/** $machine with $privileges loads the images named into $path. */
const save = `
docker save "$@" |
  docker run --rm --interactive $privileges --volume /var/lib/docker "$machine" sh -ec "$load" sh "$@" >"$path"`;

/**
 * A tar of a machine's engine's storage of the images that it would get from Docker Hub, which no machine reaches:
 * a machine unpacks it faster than it loads the images. Built once.
 *
 * @param isComplete Whether it has those for a certificate from an authority, too, which take time at each boot.
 */
export async function imageStore(isComplete: boolean): Promise<string> {
  const { registry, proxy, ...others } = settings.images;
  const names = [registry, proxy, ...(isComplete ? Object.values(others) : [])];
  const ids = await docker("image", "inspect", "--format", "{{.Id}}", ...names);
  const machine = await machineImage();
  const key = createHash("sha256").update(JSON.stringify([machine, names, ids, load]));
  return cached(`machine-images-${key.digest("hex").slice(0, 12)}.tar`, async (path) => {
    const env = { ...process.env, machine, load, path, privileges: privileges.join(" ") };
    await succeed("bash", ["-eo", "pipefail", "-c", save, "bash", ...names], { env });
  });
}
