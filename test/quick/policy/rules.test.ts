import assert from "node:assert/strict";

import type { ResourceValidationArgs } from "@pulumi/policy";

import { hardened } from "../../../components/hardening.ts";
import { deploy } from "../../../deploy.ts";
import { policies } from "../../../policy/index.ts";
import { rules } from "../../../policy/rules.ts";
import { record } from "../../support/mocks.ts";
import { computed } from "../../support/providers.ts";
import { settings } from "../../support/settings.ts";

const server = {
  ...hardened({ memory: 64, processes: 64 }),
  name: "a-registry",
  user: "65532:65532",
  readOnly: true,
  restart: "unless-stopped",
  healthcheck: { tests: ["CMD", "true"] },
};
const command = { ...hardened({ memory: 64, processes: 64 }), name: "a-setup", user: "0:0", restart: "no" };
const adds = (...added: string[]) => ({ capabilities: { drops: ["ALL"], adds: added } });
const image = (name: string) => ({ name });
const digest = `sha256:${"0".repeat(64)}`;
const hours = (days: number) => ({ validityPeriodHours: days * 24 });

/** By rule: what satisfies it, and what doesn't, with the message. */
const table: Record<string, { good: object[]; bad: [string, object][] }> = {
  "one-door": {
    good: [server, { ...server, name: "a-proxy", ports: [{ internal: 8443, external: 5043 }] }],
    bad: [["a-registry publishes a port, which only the proxy may", { ...server, ports: [{ internal: 5000 }] }]],
  },
  capabilities: {
    good: [server, command, { ...command, ...adds("CAP_CHOWN", "CAP_DAC_READ_SEARCH") }],
    bad: [
      ["a-registry keeps capabilities: it must drop ALL", { ...server, capabilities: { drops: [] } }],
      ["a-registry keeps capabilities: it must drop ALL", { ...server, capabilities: undefined }],
      ["a-registry is a server and adds CAP_CHOWN: it must add no capability", { ...server, ...adds("CAP_CHOWN") }],
      [
        "a-setup adds CAP_NET_ADMIN: it may add at most CAP_CHOWN, CAP_DAC_READ_SEARCH",
        { ...command, ...adds("CAP_CHOWN", "CAP_NET_ADMIN") },
      ],
    ],
  },
  "no-new-privileges": {
    good: [server, { ...server, securityOpts: ["no-new-privileges"] }],
    bad: [
      ["a-registry may gain privileges", { ...server, securityOpts: undefined }],
      ["a-registry may gain privileges", { ...server, securityOpts: ["no-new-privileges:false"] }],
    ],
  },
  "not-privileged": {
    good: [server, { ...server, privileged: false }],
    bad: [["a-registry is privileged", { ...server, privileged: true }]],
  },
  "no-docker-socket": {
    good: [server, { ...server, volumes: [{ hostPath: "/var/lib/registry" }, { volumeName: "data" }] }],
    bad: ["/var/run/docker.sock", "/run/user/1000/docker.sock", "/run", "/var/run/", "/var", "/"].flatMap((path) => [
      ["a-registry mounts Docker's socket", { ...server, volumes: [{ hostPath: path }] }],
      ["a-registry mounts Docker's socket", { ...server, mounts: [{ source: path }] }],
    ]),
  },
  "bounded-memory": {
    good: [server],
    bad: [{ memory: undefined }, { memory: 0, memorySwap: 0 }, { memorySwap: 128 }, { memorySwap: undefined }].map(
      (memory) => [
        "a-registry has no memory limit: memory and memorySwap must be set and equal",
        { ...server, ...memory },
      ],
    ),
  },
  "bounded-logs": {
    good: [server],
    bad: [{ logDriver: undefined }, { logDriver: "journald" }, { logOpts: { "max-size": "10m" } }].map((logs) => [
      "a-registry has no limit on its logs: use json-file with max-size and max-file",
      { ...server, ...logs },
    ]),
  },
  "not-root": {
    good: [server, command],
    bad: ["0:0", "0", "root", "root:root", undefined].map((user) => [
      "a-registry is a server and runs as root",
      { ...server, user },
    ]),
  },
  "read-only": {
    good: [server, command],
    bad: [["a-registry is a server and can write to its root file system", { ...server, readOnly: undefined }]],
  },
  "health-check": {
    good: [server, command],
    bad: [undefined, { tests: ["NONE"] }].map((healthcheck) => [
      "a-registry is a server and has no health check",
      { ...server, healthcheck },
    ]),
  },
  "no-secret-in-environment": {
    good: [server, { ...server, envs: ["OTEL_TRACES_EXPORTER=none", "PASSWORD", "PASSWORD="] }],
    bad: [
      [
        "a-registry seems to have a secret in its environment: DB_PASSWORD, apiKey",
        { ...server, envs: ["DB_PASSWORD=hunter2=", "LANG=C", "apiKey=hunter2"] },
      ],
    ],
  },
  "exact-image": {
    good: ["registry:3.1.2", `registry@${digest}`, `registry:latest@${digest}`, "host:5000/a/b:1"].map(image),
    bad: ["registry", "registry:latest", "host:5000/registry"].map((name) => [
      `${name} has neither an exact version nor a digest`,
      image(name),
    ]),
  },
  "private-network": {
    good: [{ name: "a", internal: true }, { name: "a-proxy" }],
    bad: [
      ["a is a network that is not internal", { name: "a" }],
      ["a is a network that is not internal", { name: "a", internal: false }],
    ],
  },
  "strong-key": {
    good: [
      { algorithm: "ECDSA", ecdsaCurve: "P256" },
      { algorithm: "ECDSA", ecdsaCurve: "P521" },
      { algorithm: "RSA" },
      { algorithm: "RSA", rsaBits: 4096 },
    ],
    bad: [
      ["this is an ECDSA key on P224: it must be on P256 or larger", { algorithm: "ECDSA" }],
      ["this is an RSA key of 1024 bits: it must have at least 2048", { algorithm: "RSA", rsaBits: 1024 }],
      ["this is a key of DSA: it must be Ed25519, ECDSA or RSA", { algorithm: "DSA" }],
    ],
  },
  "short-lived-certificate": {
    good: [hours(90), hours(398), { ...hours(3650), isCaCertificate: true }],
    bad: [["this is valid for 399 days: at most 398 are allowed", hours(399)]],
  },
};

describe("the policy", () => {
  it("has a table for every rule", () => {
    assert.deepEqual(rules.map(({ name }) => name).sort(), Object.keys(table).sort());
  });

  for (const { name, description, problem } of rules) {
    it(`says: ${description}`, () => {
      const { good = [], bad = [] } = table[name] ?? {};
      for (const props of good) assert.equal(problem({ ...props }), undefined, JSON.stringify(props));
      for (const [message, props] of bad) assert.equal(problem({ ...props }), message, JSON.stringify(props));
    });
  }

  it("is satisfied by every resource of the program, and checks resources of each type that it names", async () => {
    const { resources } = await record(() => deploy(settings), computed);
    for (const { name, types } of rules) {
      assert.ok(
        resources.some(({ type }) => types.includes(type)),
        name,
      );
    }
    for (const { type, inputs } of resources) assert.deepEqual(judge(type, inputs), []);
    assert.deepEqual(judge("docker:index/network:Network", { name: "a" }), ["a is a network that is not internal"]);
  });
});

/** What the pack reports to Pulumi about a resource. */
function judge(type: string, props: Readonly<Record<string, unknown>>): string[] {
  const reported: string[] = [];
  for (const { validateResource } of policies) {
    assert.ok(typeof validateResource === "function");
    void validateResource({ type, props } as ResourceValidationArgs, (message) => reported.push(message));
  }
  return reported;
}
