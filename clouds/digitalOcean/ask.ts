import * as digitalocean from "@pulumi/digitalocean";

import { configCommand } from "../../components/commands.ts";
import { nearest, type Problem } from "../../settings/problems.ts";
import { answered, hostProblem, leftFor, type Refusals } from "../ask.ts";
import { cloudNameOf, type DigitalOceanDockerHostArgs } from "./host.ts";

const refusedToken: Refusals[number] = [
  /\b401\b/,
  {
    setting: "digitalocean:token",
    wrong: "is not accepted",
    cure: configCommand("set --secret", "digitalocean:token"),
  },
];

/**
 * Asks DigitalOcean, before anything is created, whether it has what the settings need. Changes nothing there.
 *
 * @param name The name of the host.
 */
export async function askDigitalOcean(
  name: string,
  { region, size, image }: Pick<DigitalOceanDockerHostArgs, "region" | "size" | "image">,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  const ask = <T>(lookup: Promise<T>, absent: RegExp, otherwise: Problem) =>
    answered("DigitalOcean", lookup, [refusedToken, [absent, otherwise]], problems);

  const there = await ask(
    digitalocean.getRegion({ slug: region }),
    /does not exist/,
    hostProblem("region", `DigitalOcean has no region "${region}"`, "fra1"),
  );
  const source = await ask(
    digitalocean.getImage(/^\d+$/.test(image) ? { id: Number(image) } : { slug: image }),
    /\b404\b|not found/i,
    hostProblem("image", `DigitalOcean has no image "${image}"`, "ubuntu-24-04-x64"),
  );
  if (there !== undefined && !there.sizes.includes(size)) {
    const example = nearest(size, there.sizes) ?? "s-1vcpu-2gb";
    problems.push(hostProblem("size", `there is no size "${size}" in ${region}`, example));
  }
  if (there !== undefined && source !== undefined && !source.regions.includes(region))
    problems.push(hostProblem("image", `there is no image "${image}" in ${region}`, "ubuntu-24-04-x64"));

  const named = { filters: [{ key: "name", values: [cloudNameOf(name)] }] };
  return leftFor(async () => (await digitalocean.getDroplets(named)).droplets, problems);
}
