import { deploy } from "./deploy.ts";
import { askHost } from "./preflight/index.ts";
import { readSettings } from "./settings/index.ts";

// Settings describe a registry; a host runs its containers; the registry is the same on every host.
export default async () => {
  const settings = await askHost(readSettings());
  return (await deploy(settings)).outputs;
};
