import { cloudOf, clouds } from "../clouds/index.ts";
import { UserError } from "../components/userError.ts";
import { CommandFailed } from "./processes.ts";
import type { Stack } from "./stack.ts";
import type { Resource } from "./state.ts";

/**
 * Refreshes the state of a stack's cloud resources without contacting its machine: somebody or a killed run may have
 * deleted some of them. It never drops a data volume from the state, unless FORGET names its id.
 */
export async function refreshCloud(stack: Stack): Promise<void> {
  const { resources } = await stack.state();
  if (!resources.some(cloudOf)) return;
  const before = await stack.exported();
  console.error("▸ Refreshing the state of the cloud resources");
  const targets = Object.values(clouds).flatMap(({ package: name }) => ["--target", `**$${name}:**`]);
  try {
    const options = ["--yes", "--skip-preview", "--suppress-outputs"];
    await stack.change([...stack.about("refresh"), ...options, ...targets], process.stderr);
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    console.error("▸ The refresh failed: continuing with the stored state");
  }
  stack.forgetState();

  const left = new Set((await stack.state()).resources.map(({ id }) => id));
  const lost = resources.filter(isKept).filter(({ id = "" }) => !left.has(id) && id !== process.env["FORGET"]);
  if (lost.length === 0) return;
  await stack.import(before);
  throw new UserError(
    lost
      .map(
        ({ id = "" }) =>
          `The data volume ${id} is not in this account. Either these are the credentials of another account, or somebody ` +
          `deleted the volume with all pushed images. In that case, to start with an empty one: make … STACK=${stack.name} FORGET=${id}`,
      )
      .join("\n"),
  );
}

/** Whether a resource is a data volume that no purge has begun to delete. */
function isKept(resource: Resource): boolean {
  return resource.protect === true && cloudOf(resource)?.dataVolume.type === resource.type;
}

/** Reports what stays in the cloud, and what it costs, after a stack was taken down. */
export async function tellKept(stack: Stack): Promise<void> {
  for (const resource of (await stack.state()).resources) {
    const dataVolume = cloudOf(resource)?.dataVolume;
    if (dataVolume?.type !== resource.type) continue;
    const { id = "", outputs = {} } = resource;
    const size = Number(outputs["size"]);
    const cost = `about $${(size * dataVolume.price).toFixed(2)} a month`;
    console.log(
      `Kept: volume ${id} with all pushed images, ${String(size)} GiB, ${cost}. To use it again: make up STACK=${stack.name}. To delete it: make purge STACK=${stack.name}`,
    );
  }
}
