import assert from "node:assert/strict";

import { parseSettings } from "../../../settings/index.ts";
import { resolve } from "../../support/mocks.ts";
import { defaults } from "../../support/settings.ts";

type Json = Readonly<Record<string, unknown>>;

function parseWith(config: Json) {
  const raw = Object.entries(config).map(([key, value]) => [
    key,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return parseSettings(
    { ...defaults, ...(Object.fromEntries(raw) as Record<string, string>) },
    { env: { AWS_REGION: "eu-central-1", DIGITALOCEAN_TOKEN: "0" }, home: "/nowhere", now: new Date() },
  );
}

function problemsOf(config: Json): string[] {
  return parseWith(config).problems.map(({ setting, wrong, cure }) => `${setting}: ${wrong}. ${cure}`);
}

const hostKey = "ssh-ed25519 AAAA";
const ssh = (host: object) => ({
  target: "ssh",
  hostname: "r.example.com",
  host: { address: "10.0.0.1", hostKey, ...host },
});
const cloud = (target: string) => (host: object) => ({ target, host: { sshFrom: ["10.0.0.1"], ...host } });
const dns = (more: object) => ({
  ...ssh({}),
  dns: { provider: "dnsimple", zone: "example.com", account: 1, token: "t", ...more },
});
const provided = (more: object) => ({ certificate: { mode: "provided", bundle: "x", key: "y", ...more } });
const user = (more: object) => ({ users: [{ name: "a", role: "admin", ...more }] });
const digitalocean = cloud("digitalocean");
const aws = cloud("aws");

/** Every setting within a list or an object that is a text. */
const texts: Readonly<Record<string, (value: unknown) => Json>> = {
  "users[0].name": (name) => user({ name }),
  "rules[0].prefix": (prefix) => ({ rules: [{ prefix, pull: [] }] }),
  "rules[0].pull[0]": (name) => ({ rules: [{ prefix: "a", pull: [name] }] }),
  "rules[0].push[0]": (name) => ({ rules: [{ prefix: "a", push: [name] }] }),
  "anonymous.prefixes[0]": (prefix) => ({ anonymous: { port: 5044, prefixes: [prefix] } }),
  "certificate.bundle": (bundle) => provided({ bundle }),
  "certificate.bundleFile": (bundleFile) => provided({ bundle: undefined, bundleFile }),
  "certificate.keyFile": (keyFile) => provided({ key: undefined, keyFile }),
  "dns.zone": (zone) => dns({ zone }),
  "dns.apiUrl": (apiUrl) => dns({ apiUrl }),
  "host.address": (address) => ssh({ address }),
  "host.user": (user) => ssh({ user }),
  "host.hostKey": (hostKey) => ssh({ hostKey }),
  "host.keyFile": (keyFile) => ssh({ keyFile }),
  "host.region": (region) => digitalocean({ region }),
  "host.size": (size) => digitalocean({ size }),
  "host.image": (image) => aws({ image }),
  "host.subnet": (subnet) => aws({ subnet }),
};

const secrets: Readonly<Record<string, (value: unknown) => Json>> = {
  "users[0].password": (password) => user({ password }),
  "certificate.key": (key) => provided({ key }),
  "dns.token": (token) => dns({ token }),
};

describe("a text that YAML turned into another type", () => {
  for (const [path, config] of Object.entries(texts)) {
    it(`is reported as ${path}, with a cure that keeps it a text`, () => {
      for (const value of [1000, -5, 1.5, true, false]) {
        const told = problemsOf(config(value)).filter(
          (problem) => problem.startsWith("certificate") === path.startsWith("certificate"),
        );
        assert.equal(told.length, 1, told.join("\n"));
        const wrong = `${path}: ${String(value)} is a ${typeof value}, not text: without quotes YAML may have changed it. `;
        const cure = `write it in quotes in the stack file, or: pulumi config set --type string --path '${path}' `;
        assert.ok(told[0]?.startsWith(wrong + cure), told[0]);
      }
    });
  }

  for (const [path, config] of Object.entries(secrets)) {
    it(`is reported as ${path} without its value`, () => {
      for (const value of [918273, true]) {
        const [told = "", ...more] = problemsOf(config(value));
        assert.deepEqual(more, []);
        const cure = `write it in quotes in the stack file, or: pulumi config set --secret --path '${path}'`;
        assert.equal(told, `${path}: is a ${typeof value}, not text: without quotes YAML may have changed it. ${cure}`);
      }
    });
  }

  it("is reported if it was a date, which Pulumi passes on as another text", () => {
    const date = "2024-01-01 00:00:00 +0000 UTC";
    for (const [path, config] of Object.entries({ ...texts, ...secrets })) {
      const [told = ""] = problemsOf(config(date)).filter((problem) => problem.startsWith(path));
      assert.match(told, /is a date, not text: without quotes YAML may have changed it\. write it in quotes/);
      assert.equal(told.includes(date), path in texts, told);
    }
  });

  it("is reported as missing if nothing is left of it", () => {
    const optional = ["host.user", "host.region", "host.size", "host.image"];
    for (const [path, config] of Object.entries({ ...texts, ...secrets })) {
      const [told] = problemsOf(config(null)).filter((problem) => problem.startsWith(path));
      if (optional.includes(path)) assert.equal(told, undefined);
      else
        assert.match(
          told ?? "",
          path === "users[0].password" ? /: is empty\./ : /: is not set: .* is needed\. pulumi /,
        );
    }
  });

  it("is accepted in quotes", async () => {
    const { settings, problems } = parseWith({
      users: [{ name: "0123", role: "admin", password: "1e3" }, { name: "true" }],
      rules: [{ prefix: "42", pull: ["0123", "true"] }],
    });
    assert.deepEqual(problems, []);
    assert.deepEqual(
      settings.users?.map(({ name }) => name),
      ["0123", "true"],
    );
    const password = settings.users[0]?.password;
    assert.ok(password);
    assert.deepEqual(await resolve(password), { value: "1e3", secret: true });
  });
});

describe("a command that sets a text", () => {
  for (const [name, written] of [
    ["1234", "--type string --path 'rules[0].pull[0]' 1234"],
    ["true", "--type string --path 'rules[0].pull[0]' true"],
    ["alice b", "--path 'rules[0].pull[0]' 'alice b'"],
    ["o'neil", "--path 'rules[0].pull[0]' 'o'\\''neil'"],
    ["-alice", "--path 'rules[0].pull[0]' -- -alice"],
    ["$(id)", "--path 'rules[0].pull[0]' '$(id)'"],
  ] as const) {
    it(`keeps ${name} unchanged, for Pulumi and for the shell`, () => {
      const config = { users: [{ name, role: "admin" }], rules: [{ prefix: "a", pull: [`${name}x`] }] };
      const [told = "", ...more] = problemsOf(config);
      assert.deepEqual(more, []);
      assert.ok(told.endsWith(` is not the name of a user. pulumi config set ${written}`), told);
    });
  }
});
