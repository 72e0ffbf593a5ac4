import { deploy } from "./deploy.ts";
import { loadSettings } from "./settings.ts";

// Settings describe a registry; a host runs containers; the registry is the same everywhere.
export default async () => {
  const registry = await deploy(await loadSettings());
  const { endpoint, url, anonymousEndpoint, usernames, passwords } = registry;
  const { caCertificate, caFingerprint, loginCommand, checkCommand } = registry;
  const { address, records, login } = registry;
  return {
    ...{ endpoint, url, anonymousEndpoint, usernames, passwords },
    ...{ caCertificate, caFingerprint, loginCommand, checkCommand },
    ...{ address, records, login },
  };
};
