import { deploy } from "./deploy.js";
import { loadSettings } from "./settings.js";

// Settings describe a registry; a host runs containers; the registry is the same everywhere.
export const { endpoint, url, usernames, passwords, caCertificate, caFingerprint, loginCommand, checkCommand } = deploy(
  await loadSettings(),
);
