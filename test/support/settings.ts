import { readFileSync } from "node:fs";

import { parse } from "yaml";

import type { Settings } from "../../settings";

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

/** What a stack that sets nothing gets. */
export const settings: Settings = {
  host: {
    target: "local",
    engine: {
      host: "unix:///var/run/docker.sock",
      address: "localhost",
      foundBy: "the local socket",
      setting: "dockerHost",
    },
  },
  port: 5043,
  images: { registry: "registry:3.1.1", proxy: "nginx:1.30.6-alpine" },
  users: [{ name: "admin", role: "admin" }],
  rules: [],
  deletion: false,
  limits: { guessesPerMinute: 30 },
  certificate: { mode: "selfSigned" },
};
