import { deploy } from "./deploy";
import { loadSettings } from "./settings";

// Settings describe a registry; a host runs containers; the registry is the same everywhere.
export = async () => {
  const registry = deploy(await loadSettings());
  const { endpoint, url, anonymousEndpoint, usernames, passwords } = registry;
  const { caCertificate, caFingerprint, loginCommand, checkCommand } = registry;
  const { address, records, login } = registry;
  return {
    ...{ endpoint, url, anonymousEndpoint, usernames, passwords },
    ...{ caCertificate, caFingerprint, loginCommand, checkCommand },
    ...{ address, records, login },
  };
};
