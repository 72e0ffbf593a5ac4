import { readFileSync } from "node:fs";

import { parse } from "yaml";

import type { Settings } from "../../settings";
import type { HostSettings } from "../../settings/host";

interface Declaration {
  readonly type: string;
  readonly default: unknown;
  readonly description: string;
}

/** The settings that Pulumi.yaml declares. */
export const declared = (parse(readFileSync("Pulumi.yaml", "utf8")) as { config: Record<string, Declaration> }).config;

/** Their defaults, as Pulumi hands them over. */
export const defaults = Object.fromEntries(
  Object.entries(declared).map(([key, { default: value }]) => [key, String(value)]),
);

/** The local Docker engine. */
export const localHost = {
  target: "local",
  engine: {
    host: "unix:///var/run/docker.sock",
    address: "localhost",
    foundBy: "the local socket",
    setting: "dockerHost",
  },
} as const satisfies HostSettings;

/** What a stack that sets nothing gets. */
export const settings: Settings = {
  host: localHost,
  port: 5043,
  images: { registry: "registry:3.1.1", proxy: "nginx:1.30.6-alpine" },
  users: [{ name: "admin", role: "admin" }],
  rules: [],
  deletion: false,
  limits: { guessesPerMinute: 30 },
  certificate: { mode: "selfSigned" },
};
