import { readFileSync } from "node:fs";

import { parse } from "yaml";

import type { HostSettings, Target } from "../../settings/host.ts";
import { images } from "../../settings/images.ts";
import type { Settings } from "../../settings/index.ts";

interface Declaration {
  readonly type: string;
  readonly default: unknown;
  readonly description: string;
}

/** The settings that Pulumi.yaml declares. */
export const declared = (parse(readFileSync("Pulumi.yaml", "utf8")) as { config: Record<string, Declaration> }).config;

/** Their defaults, as Pulumi passes them on. */
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

/** The settings of a stack that sets nothing. */
export const settings: Settings = {
  host: localHost,
  port: 5043,
  images: {
    registry: images.registry.reference,
    proxy: images.proxy.reference,
    lego: images.lego.reference,
    node: images.node.reference,
  },
  users: [{ name: "admin", role: "admin" }],
  rules: [],
  deletion: false,
  drainTimeout: 900,
  limits: { guessesPerMinute: 30 },
  certificate: { mode: "selfSigned" },
};

const cloud = {
  dataSize: 50,
  sshFrom: ["203.0.113.7/32"],
  registryFrom: ["0.0.0.0/0", "::/0"],
  generation: 1,
} as const;

/** A host of each kind. */
export const hosts = {
  local: {
    target: "local",
    engine: { ...localHost.engine, host: "tcp://192.168.99.100:2376", address: "192.168.99.100" },
  },
  ssh: {
    target: "ssh",
    engine: {
      host: "ssh://deploy@203.0.113.10",
      address: "203.0.113.10",
      foundBy: "host.address",
      setting: "host.address",
      sshOptions: ["-o", "BatchMode=yes"],
    },
  },
  digitalocean: { target: "digitalocean", region: "fra1", size: "s-1vcpu-2gb", image: "ubuntu-24-04-x64", ...cloud },
  aws: { target: "aws", size: "t3.small", image: "/ubuntu/ami-id", ipv6: false, ...cloud },
} as const satisfies { [T in Target]: Extract<HostSettings, { target: T }> };
