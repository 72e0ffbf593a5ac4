import { cloudOf, clouds } from "../clouds/index.ts";
import { UserError } from "../components/userError.ts";
import { CommandFailed } from "./processes.ts";
import type { Stack } from "./stack.ts";
import type { Resource } from "./state.ts";

/**
 * Brings the state up to date with what a stack has in clouds, without a word to its machine: somebody may have deleted
 * something there, and so may a run that was killed. A data volume is never forgotten by it, unless FORGET names its id.
 */
export async function refreshCloud(stack: Stack): Promise<void> {
  const { resources } = await stack.state();
  if (!resources.some(cloudOf)) return;
  const before = await stack.exported();
  console.error("▸ Looking at what the cloud has");
  const targets = Object.values(clouds).flatMap(({ package: name }) => ["--target", `**$${name}:**`]);
  try {
    const options = ["--yes", "--skip-preview", "--suppress-outputs"];
    await stack.change([...stack.about("refresh"), ...options, ...targets], process.stderr);
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    console.error("▸ That failed; going on with what the state has");
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
          `The data volume ${id} is not in this account. Either these are the credentials of another one, or somebody ` +
          `deleted it, with all that was pushed. If so, begin with an empty one: make … STACK=${stack.name} FORGET=${id}`,
      )
      .join("\n"),
  );
}

/** A data volume, unless a purge has begun to delete it. */
function isKept(resource: Resource): boolean {
  return resource.protect === true && cloudOf(resource)?.dataVolume.type === resource.type;
}

/** What a cloud goes on keeping, and charging for, after a stack was taken down. */
export async function tellKept(stack: Stack): Promise<void> {
  for (const resource of (await stack.state()).resources) {
    const dataVolume = cloudOf(resource)?.dataVolume;
    if (dataVolume?.type !== resource.type) continue;
    const { id = "", outputs = {} } = resource;
    const size = Number(outputs["size"]);
    const cost = `about $${(size * dataVolume.price).toFixed(2)} a month`;
    console.log(
      `Kept: volume ${id} with all that was pushed, ${String(size)} GiB, ${cost}; taken again by: make up STACK=${stack.name}; deleted by: make purge STACK=${stack.name}`,
    );
  }
}
