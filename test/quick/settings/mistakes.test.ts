import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { clearSecrets } from "../../../settings/clearSecrets.ts";
import { parseConfiguration, parseSettings } from "../../../settings/index.ts";
import { issue } from "../../support/certificates.ts";
import { defaults } from "../../support/settings.ts";

type Config = Readonly<Record<string, unknown>>;

const project = "private-registry";

function raw(config: Config): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
  );
}

/** A stack's whole configuration as Pulumi passes it on, with the defaults of Pulumi.yaml. */
function configurationOf(own: Config, ofProviders: Record<string, string> = {}): Record<string, string> {
  const values = Object.entries({ ...defaults, ...raw(own) }).map(([key, value]) => [`${project}:${key}`, value]);
  return { ...(Object.fromEntries(values) as Record<string, string>), ...ofProviders };
}

describe("one mistake", () => {
  const root = issue({ commonName: "Root" });
  const server = issue({ commonName: "s", names: "DNS:r.example.com,IP:203.0.113.10", issuer: root });
  const certificate = { mode: "provided", bundle: server.certificate + root.certificate, key: server.key };
  const users = [{ name: "a", role: "admin", password: "secret" }, { name: "b", role: "reader" }, { name: "c" }];
  const right: Config = {
    users,
    rules: [{ prefix: "team", pull: ["a", "b"], push: ["c"] }],
    anonymous: { port: 5044, prefixes: ["public"] },
    certificate,
    hostname: "r.example.com",
  };
  const machine = { address: "203.0.113.10", hostKey: "ssh-ed25519 AAAA" };
  const dns = { provider: "dnsimple", zone: "example.com", account: 1, token: "t" };
  const stacks: Readonly<Record<string, Config>> = {
    local: right,
    ssh: { ...right, target: "ssh", host: machine, dns },
    digitalocean: { ...right, target: "digitalocean", host: { sshFrom: ["203.0.113.7"] }, dns },
    aws: {
      ...right,
      target: "aws",
      host: { sshFrom: ["203.0.113.7"] },
      dns: { ...dns, provider: "route53", account: undefined, token: undefined },
    },
  };
  const providers = { "digitalocean:token": "t", "aws:region": "eu-central-1" };

  function settingsWrong(config: Config): string[] {
    const { problems } = parseConfiguration(project, configurationOf(config, providers), { HOME: "/nowhere" });
    return problems.map(({ setting }) => setting);
  }

  const mistakes: readonly (readonly [setting: string, more: Config])[] = [
    ["port", { port: "x" }],
    ["users", { users: "a" }],
    ["users[0]", { users: ["a", ...users.slice(1)] }],
    ["users[0].name", { users: [{ ...users[0], name: 1 }, ...users.slice(1)] }],
    ["users[0].name", { users: [{ ...users[0], name: "#a" }, ...users.slice(1)] }],
    ["users[1].role", { users: [users[0], { ...users[1], role: "raeder" }, users[2]] }],
    ["users[0].password", { users: [{ ...users[0], password: 1 }, ...users.slice(1)] }],
    ["anonymous.port", { anonymous: { port: "x", prefixes: ["public"] } }],
    ["certificate.mode", { certificate: {} }],
    ["certificate.mode", { certificate: "provided" }],
    ["certificate.key", { certificate: { ...certificate, key: "x" } }],
    ["certificate.bundle", { certificate: { ...certificate, bundle: "x" } }],
    ["hostname", { hostname: "-x" }],
    ["registryImage", { registryImage: "x y" }],
    ["target", { target: "moon" }],
  ];
  const own: Readonly<Record<string, typeof mistakes>> = {
    local: [
      ["dockerHost", { dockerHost: "x" }],
      ["dockerHost", { dockerHost: "x", hostname: "" }],
      ["dockerContext", { dockerContext: "x", hostname: "" }],
    ],
    ssh: [
      ["host.address", { host: { ...machine, address: 1 } }],
      ["host.address", { host: { ...machine, address: "-x" }, hostname: "", dns: undefined }],
      ["dns.zone", { dns: { ...dns, zone: "x" } }],
      ["dns.provider", { dns: { ...dns, provider: "x" } }],
    ],
    digitalocean: [
      ["hostname", { hostname: "" }],
      ["host.sshFrom", { host: {} }],
    ],
    aws: [
      ["hostname", { hostname: "", dns: undefined }],
      ["host.sshFrom", { host: {} }],
    ],
  };

  for (const [target, stack] of Object.entries(stacks)) {
    it(`is reported alone, whatever follows from it, with the target ${target}`, () => {
      assert.deepEqual(settingsWrong(stack), []);
      for (const [setting, more] of [...mistakes, ...(own[target] ?? [])]) {
        // The engine and the machine are those of a target.
        const config = setting === "target" ? { ...right, ...more } : { ...stack, ...more };
        assert.deepEqual(settingsWrong(config), [setting], JSON.stringify(more));
      }
    });
  }

  it("of an engine is reported alone by the commands, too, whatever is secret or for a provider", function () {
    this.timeout(60_000);
    const zone = { provider: "digitalocean", zone: "example.com" };
    const configuration = configurationOf({ ...right, dockerHost: "x", dns: zone }, providers);
    // Pulumi hides a whole setting if a part of it is secret.
    const hidden = Object.entries(configuration).map(([key, value]) => [
      key,
      /:(users|certificate|dns|token)$/.test(key) ? { secret: true } : { value, secret: false },
    ]);
    const clear = Object.entries(configuration).map(([key, value]) => [key, { value }]);
    const folder = mkdtempSync(join(tmpdir(), "pulumi-"));
    try {
      writeFileSync(join(folder, "hidden"), JSON.stringify(Object.fromEntries(hidden)));
      writeFileSync(join(folder, "clear"), JSON.stringify(Object.fromEntries(clear)));
      const { version } = JSON.parse(readFileSync("node_modules/pulumi/package.json", "utf8")) as { version: string };
      const bin = join(folder, "versions", version, "bin");
      const answer = `case "$*" in
        version*) echo v${version} ;;
        *export*) echo '{"version":3,"deployment":{}}' ;;
        *--show-secrets*) cat ${folder}/clear ;;
        *) cat ${folder}/hidden ;;
      esac`;
      mkdirSync(bin, { recursive: true });
      writeFileSync(join(bin, "pulumi"), `#!/bin/sh\n${answer}\n`, { mode: 0o755 });
      const env = { PATH: process.env["PATH"], PULUMI_HOME: folder, PULUMI_BACKEND_URL: `file://${folder}` };
      const run = spawnSync("node", ["cli/main.ts", "logs", "dev1"], { env, encoding: "utf8" });
      assert.deepEqual([run.status, run.stdout], [1, ""], run.stderr);
      assert.match(run.stderr, /^1 problem in the settings of stack dev1; nothing was changed\.\n\n {2}dockerHost: /);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("a warning", () => {
  const warningsOf = (config: Config) => {
    const { problems, warnings } = parseSettings(
      { ...defaults, ...raw(config) },
      { env: {}, home: "/nowhere", now: new Date() },
    );
    return { problems: problems.map(({ setting }) => setting), warnings: warnings.map(({ setting }) => setting) };
  };

  it("says that no user is an admin", () => {
    for (const users of [
      [{ name: "admin" }],
      [
        { name: "a", role: "reader" },
        { name: "b", role: "writer" },
      ],
    ])
      assert.deepEqual(warningsOf({ users }), { problems: [], warnings: ["users"] });
    const [warning] = parseSettings({ ...defaults, users: '[{"name":"admin"}]' }).warnings;
    assert.match(
      warning?.wrong ?? "",
      /^nobody is an admin, so nobody may list the catalog or delete, and rules apply/,
    );
    assert.match(warning?.cure ?? "", /pulumi config set --path 'users\[0\]\.role' admin$/);
  });

  it("is absent if one is, if no user is set, and if the users are wrong anyway", () => {
    assert.deepEqual(warningsOf({}), { problems: [], warnings: [] });
    assert.deepEqual(warningsOf({ users: [{ name: "a" }, { name: "b", role: "admin" }] }).warnings, []);
    assert.deepEqual(warningsOf({ users: [{ name: "a", role: "Admin" }] }).warnings, []);
    assert.deepEqual(warningsOf({ users: "a" }).warnings, []);
  });
});

describe("an unencrypted secret in the stack file", () => {
  const told = (text: string) => clearSecrets(project, text).map(({ setting, cure }) => `${setting}: ${cure}`);
  const change = "change it, and encrypt the new value: pulumi config set --secret";

  for (const [setting, yaml, command] of [
    ["users[1].password", "private-registry:users: [{name: a}, {name: b, password: x}]", "--path 'users[1].password'"],
    ["users[0].password", "private-registry:users: [{name: a, password: 1}]", "--path 'users[0].password'"],
    ["users[0].password", `private-registry:users: '[{"name": "a", "password": "x"}]'`, "--path 'users[0].password'"],
    [
      "certificate.key",
      "private-registry:certificate: {mode: provided, key: x}",
      "--path 'certificate.key' < SERVER.key",
    ],
    ["dns.token", "private-registry:dns: {provider: dnsimple, token: x}", "--path 'dns.token'"],
    ...["digitalocean:token", "digitalocean:spacesSecretKey", "aws:secretKey", "aws:token", "dnsimple:token"].map(
      (key) => [key, `${key}: x`, key] as const,
    ),
  ] as const) {
    it(`is reported as ${setting} of ${yaml}`, () => {
      assert.deepEqual(told(`config:\n  ${yaml}\n`), [`${setting}: ${change} ${command}`]);
      const wrong = clearSecrets(project, `config:\n  ${yaml}\n`)[0]?.wrong;
      assert.equal(wrong, "is not encrypted in the stack's file: everybody who can read the file sees it");
    });
    it(`is not reported if ${setting} of ${yaml} is encrypted`, () => {
      const encrypted = yaml.includes("'[")
        ? "private-registry:users: {secure: v1:x}"
        : yaml.replace(/(password|key|token|Key): \w/i, "$1: {secure: v1:x}");
      assert.deepEqual(told(`config:\n  ${encrypted}\n`), []);
    });
  }

  it("is not reported without a file, a setting of this project, or readable content", () => {
    for (const text of ["", "config:\n", "config: 1\n", "config: [\n", "config:\n  other:users: [{password: x}]\n"])
      assert.deepEqual(told(text), []);
    assert.deepEqual(told("config:\n  private-registry:users: x\n  private-registry:dns: [1]\n"), []);
  });
});
