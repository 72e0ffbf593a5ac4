import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import fc from "fast-check";
import { parse } from "yaml";

import type { RawSettings } from "../../../settings/configuration.ts";
import { parseSettings } from "../../../settings/index.ts";
import { issue } from "../../support/certificates.ts";
import { resolve } from "../../support/mocks.ts";
import { declared, defaults } from "../../support/settings.ts";

/** What Pulumi passes on: the stack's settings over the defaults of Pulumi.yaml. */
function parseWith(settings: RawSettings, env: NodeJS.ProcessEnv = {}) {
  return parseSettings({ ...defaults, ...settings }, { env, home: "/nowhere", now: new Date() });
}

function problemsOf(settings: RawSettings): string[] {
  return parseWith(settings).problems.map(({ setting, wrong, cure }) => `${setting}: ${wrong}. ${cure}`);
}

function only(problems: string[]): string {
  assert.equal(problems.length, 1, problems.join("\n"));
  return problems[0] ?? "";
}

describe("settings", () => {
  it("declares each setting with a type, a default and a description", () => {
    for (const [key, { type, description, default: value }] of Object.entries(declared)) {
      assert.ok(type && description && value !== undefined, key);
    }
  });

  it("gives a stack that sets nothing a registry for admin on the local engine", () => {
    const { settings, problems } = parseWith({});
    assert.deepEqual(problems, []);
    assert.ok(settings.host?.target === "local");
    assert.equal(settings.host.engine.address, "localhost");
    assert.equal(settings.port, 5043);
    assert.deepEqual(settings.users, [{ name: "admin", role: "admin" }]);
    assert.deepEqual([settings.rules, settings.anonymous, settings.deletion], [[], undefined, false]);
    assert.deepEqual(settings.certificate, { mode: "selfSigned" });
    assert.deepEqual(settings.images, {
      registry: defaults["registryImage"],
      proxy: defaults["proxyImage"],
      lego: defaults["legoImage"],
      node: defaults["nodeImage"],
    });
  });

  /** A stack file as Pulumi passes it on, secrets unencrypted. */
  function rawOf(text: string): RawSettings {
    const { config } = parse(text.replaceAll(/^ +secure: .*$/gm, "        secret")) as {
      config: Record<string, unknown>;
    };
    return Object.fromEntries(
      Object.entries(config).map(([key, value]) => [
        key.replace("private-registry:", ""),
        typeof value === "string" ? value : JSON.stringify(value),
      ]),
    );
  }

  /** Enables the examples of a stack file. */
  function alive(text: string): string {
    return text.replace(/^ {2}# (private-registry:| {2})/gm, "  $1");
  }

  it("accepts the tracked Pulumi.dev1.yaml as it is, and with every example in it enabled", () => {
    const text = readFileSync("Pulumi.dev1.yaml", "utf8");
    for (const source of [text, alive(text)]) {
      const raw = rawOf(source);
      const unknown = problemsOf(raw).filter((problem) => problem.includes("no such setting"));
      assert.deepEqual(unknown, []);
      assert.equal(Object.keys(raw).length, source === text ? 1 : Object.keys(declared).length + 6);
    }
  });

  it("accepts the tracked Pulumi.remote.yaml as it is, and with each example in it enabled", () => {
    const text = readFileSync("Pulumi.remote.yaml", "utf8");
    const env = { DIGITALOCEAN_TOKEN: "token", AWS_REGION: "eu-central-1" };
    const base = rawOf(text);
    const examples = text.split("\n\n").filter((paragraph) => /^ {2}# private-registry:/m.test(paragraph));
    const settings = examples.map((example) => rawOf(`config:\n${alive(example)}`));
    const whole = rawOf(alive(text.slice(0, text.indexOf("  # AWS:"))));
    for (const raw of [base, whole, ...settings.map((more) => ({ ...base, ...more }))])
      assert.deepEqual(parseWith(raw, env).problems, []);
    assert.deepEqual(
      settings.map((more) => Object.keys(more).join()),
      ["target,host", "target,host", "dns", "dns"],
    );
  });

  it("has no encryption salt in a tracked stack file", () => {
    // The working copy may have one, which git ignores.
    assert.match(readFileSync(".gitattributes", "utf8"), /^Pulumi\.\*\.yaml filter=encryptionsalt$/m);
  });

  it("reports every problem at once", () => {
    const problems = problemsOf({ port: "70000", hostname: "no_name", prot: "1", users: "[]", dataPath: "here" });
    assert.deepEqual(problems.map((problem) => problem.split(":")[0]).sort(), [
      "dataPath",
      "hostname",
      "port",
      "prot",
      "users",
    ]);
  });

  it("uses what is right beside a mistake: the rest of a list, and what depends on it", () => {
    const users = '[{"name":"a","role":"x"},{"name":"r","role":"reader"},{"name":"a"}]';
    const rules = '[{"prefix":"t","push":["r"]},{"prefix":"T","pull":[]},{"prefix":"t","pull":[1]}]';
    const anonymous = '{"port":"5043","prefixes":["*"]}';
    assert.deepEqual(
      problemsOf({ users, rules, anonymous })
        .map((problem) => problem.split(": ")[0])
        .sort(),
      [
        ...["anonymous.port", "anonymous.prefixes[0]", "rules[0].push[0]", "rules[1].prefix", "rules[2].prefix"],
        ...["rules[2].pull[0]", "users[0].role", "users[2].name"],
      ],
    );
  });

  it("names the nearest setting for an unknown one, at every depth", () => {
    assert.match(
      only(problemsOf({ prot: "5043" })),
      /^prot: there is no such setting\. did you mean port\?.*config rm prot/,
    );
    assert.match(
      only(problemsOf({ users: '[{"name":"a","pasword":"x"}]' })),
      /^users\[0\]\.pasword: .*users\[0\]\.password\?/,
    );
    assert.match(only(problemsOf({ certificate: '{"mode":"selfSigned","keyfile":"x"}' })), /^certificate\.keyfile: /);
  });

  for (const port of ["0", "65536", "-1", "5043.5", "http", ""]) {
    it(`refuses port ${JSON.stringify(port)}`, () => {
      assert.match(only(problemsOf({ port })), /^port: .*1 to 65535\. pulumi config set port 5043/);
    });
  }

  for (const hostname of [
    "a b",
    "-a.example",
    "a..b",
    "a_b",
    "x".repeat(64),
    "256.1.1.1",
    "1.2.3",
    "registry:5043",
    "https://x",
  ]) {
    it(`refuses hostname ${JSON.stringify(hostname)}`, () => {
      assert.match(only(problemsOf({ hostname })), /^hostname: .*pulumi config set hostname/);
    });
  }

  for (const hostname of ["registry", "registrydev1.yourdomain.com", "192.168.99.100", "REGISTRY.example"]) {
    it(`accepts hostname ${hostname}`, () => {
      const { settings, problems } = parseWith({ hostname });
      assert.deepEqual(problems, []);
      assert.equal(settings.hostname, hostname.toLowerCase());
    });
  }

  for (const dockerHost of ["ssh://deploy@build_host", "ssh://[::1]", "ssh://a;b", "ssh://~x"]) {
    it(`requires a hostname if the engine is at ${dockerHost}, which clients couldn't type`, () => {
      assert.match(only(problemsOf({ dockerHost })), /^hostname: is not set, and /);
      assert.deepEqual(problemsOf({ dockerHost, hostname: "registry" }), []);
    });
  }

  for (const [name, wrong] of [
    ["a:b", /colon/],
    ["a\u0007", /control character/],
    ["a\n", /control character/],
    ["#a", /comment/],
    ["__proto__", /can't be used as a user name/],
    ["a\ud800", /well-formed/],
    ["", /missing/],
    ["x".repeat(256), /255 bytes/],
  ] as const) {
    it(`refuses user name ${JSON.stringify(name.slice(0, 9))}`, () => {
      const problem = only(problemsOf({ users: JSON.stringify([{ name }]) }));
      assert.match(problem, /^users\[0\]\.name: /);
      assert.match(problem, wrong);
      assert.match(problem, /pulumi config set --path 'users\[0\]\.name'/);
    });
  }

  for (const [what, password, wrong] of [
    ["an empty password", "", /empty/],
    ["a password of 73 bytes", "x".repeat(73), /73 bytes/],
    ["a password of 37 two-byte letters", "ß".repeat(37), /74 bytes/],
    ["a password with a control character", "a\tb", /control character/],
  ] as const) {
    it(`refuses ${what}, without quoting it`, () => {
      const problem = only(problemsOf({ users: JSON.stringify([{ name: "a", password }]) }));
      assert.match(problem, /^users\[0\]\.password: .*pulumi config set --secret --path 'users\[0\]\.password'/);
      assert.match(problem, wrong);
      assert.ok(password === "" || !problem.includes(password));
    });
  }

  it("accepts a password of 72 bytes, and passes it on as a secret", async () => {
    const { settings, problems } = parseWith({ users: JSON.stringify([{ name: "a", password: "x".repeat(72) }]) });
    assert.deepEqual(problems, []);
    const password = settings.users?.[0]?.password;
    assert.ok(password);
    assert.deepEqual(await resolve(password), { value: "x".repeat(72), secret: true });
  });

  it("refuses a duplicate user name, and distinguishes names that differ only in case", () => {
    assert.match(
      only(problemsOf({ users: '[{"name":"a"},{"name":"b"},{"name":"a"}]' })),
      /^users\[2\]\.name: "a" is .*users\[0\]/,
    );
    assert.deepEqual(problemsOf({ users: '[{"name":"admin"},{"name":"Admin"}]' }), []);
  });

  it("makes a user without a role a writer, and admin an admin if no user is set", () => {
    const { settings, problems } = parseWith({ users: '[{"name":"a"},{"name":"b","role":"reader"}]' });
    assert.deepEqual(problems, []);
    assert.deepEqual(
      settings.users?.map(({ role }) => role),
      ["writer", "reader"],
    );
    assert.match(
      only(problemsOf({ users: '[{"name":"a","role":"Admin"}]' })),
      /^users\[0\]\.role: "Admin" is not a role; choose one of: reader, writer, admin/,
    );
  });

  it("accepts rules about existing users, and about prefixes of whole components", () => {
    const users = '[{"name":"a"},{"name":"A"},{"name":"r","role":"reader"}]';
    const rules = [
      { prefix: "team/app", pull: ["a", "r"], push: ["a"] },
      { prefix: "team", push: [] },
    ];
    const { settings, problems } = parseWith({ users, rules: JSON.stringify(rules) });
    assert.deepEqual(problems, []);
    assert.deepEqual(settings.rules, [rules[0], { prefix: "team", pull: undefined, push: [] }]);
  });

  for (const [what, rules, wrong] of [
    ["no list", "team", /^rules: is not a list/],
    [
      "a prefix with a slash at its end",
      '[{"prefix":"team/","pull":[]}]',
      /^rules\[0\]\.prefix: "team\/" is not the name/,
    ],
    ["a prefix in upper case", '[{"prefix":"Team","pull":[]}]', /^rules\[0\]\.prefix: /],
    [
      "a prefix twice",
      '[{"prefix":"a","pull":[]},{"prefix":"a","push":[]}]',
      /^rules\[1\]\.prefix: .*already the prefix of rules\[0\]/,
    ],
    ["no list of users", '[{"prefix":"a"}]', /^rules\[0\]: names neither/],
    ["an unknown user", '[{"prefix":"a","pull":["admn"]}]', /^rules\[0\]\.pull\[0\]: "admn" .*admin/],
    ["a user in another case", '[{"prefix":"a","pull":["Admin"]}]', /^rules\[0\]\.pull\[0\]: "Admin" is not/],
    ["an unknown key", '[{"prefix":"a","pul":[],"push":[]}]', /^rules\[0\]\.pul: .*rules\[0\]\.pull\?/],
  ] as const) {
    it(`refuses a rule with ${what}`, () => assert.match(only(problemsOf({ rules })), wrong));
  }

  it("refuses a rule that would let a reader push", () => {
    const users = '[{"name":"r","role":"reader"}]';
    assert.match(
      only(problemsOf({ users, rules: '[{"prefix":"a","push":["r"]}]' })),
      /^rules\[0\]\.push\[0\]: "r" is a reader/,
    );
  });

  for (const [what, anonymous, wrong] of [
    ["no object", "5044", /^anonymous: is not an object/],
    ["no prefix", '{"port":5044,"prefixes":[]}', /^anonymous\.prefixes: is not a list of at least one/],
    ["no port", '{"prefixes":["public"]}', /^anonymous\.port: is not set: a whole number from 1 to 65535 is needed/],
    [
      "the port of the other endpoint",
      '{"port":5043,"prefixes":["public"]}',
      /^anonymous\.port: 5043 is already the port for users who sign in/,
    ],
    ["an invalid prefix", '{"port":5044,"prefixes":["*"]}', /^anonymous\.prefixes\[0\]: /],
  ] as const) {
    it(`refuses anonymous pull with ${what}`, () => assert.match(only(problemsOf({ anonymous })), wrong));
  }

  for (const maxUploadSize of ["10", "0g", "10t", "-1g", "1048577g", "1.5g", "10G"]) {
    it(`refuses a maximal upload of ${maxUploadSize}`, () => {
      assert.match(only(problemsOf({ maxUploadSize })), /^maxUploadSize: .*pulumi config set maxUploadSize 10g/);
    });
  }

  it("accepts valid limits, and no others", () => {
    const { settings, problems } = parseWith({ maxUploadSize: "1048576g", guessesPerMinute: "40", deletion: "true" });
    assert.deepEqual(problems, []);
    assert.deepEqual(settings.limits, { guessesPerMinute: 40, maxUploadSize: "1048576g" });
    assert.equal(settings.deletion, true);
    for (const guessesPerMinute of ["0", "41", "1.5", ""]) {
      assert.match(only(problemsOf({ guessesPerMinute })), /^guessesPerMinute: .*1 to 40/);
    }
    assert.match(only(problemsOf({ deletion: "yes" })), /^deletion: "yes" is neither true nor false/);
  });

  for (const dataPath of [
    ...[
      "~/Sites/docker/registry/data",
      "data",
      "/a/../b",
      "/a:b",
      "/srv/registry/..",
      "/..",
      "/srv//registry",
      "//srv",
    ],
    ...["/srv/./registry", "/srv/registry//", "/srv/\n", "/srv/registry/."],
  ]) {
    it(`refuses data path ${JSON.stringify(dataPath)}, which is not in plain form`, () => {
      const told = only(problemsOf({ dataPath }));
      assert.match(
        told,
        /^dataPath: .* is not an absolute path on the engine's machine\. .*set dataPath \/srv\/registry/,
      );
    });
  }

  const whole = [
    ...["bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "sys", "usr", "var/run"],
    ...["var/lib/docker", "var/lib/containerd"],
  ];
  const themselves = [
    ...[
      "",
      "home",
      "home/alice",
      "root",
      "var",
      "var/lib",
      "opt",
      "srv",
      "mnt",
      "media",
      "tmp",
      "Users",
      "Users/alice",
      "usr/local",
      "run/media",
    ],
  ];
  it("refuses every data path that is the system's or that others share, however it ends", () => {
    for (const folder of [...whole, ...whole.map((folder) => `${folder}/a/b`), ...themselves])
      for (const dataPath of [`/${folder}`, ...(folder === "" ? [] : [`/${folder}/`])])
        assert.match(
          only(problemsOf({ dataPath })),
          /^dataPath: .*is a folder that others need.*\/srv\/registry$/,
          dataPath,
        );
  });

  it("accepts a data path below shared folders, and beside the system's", () => {
    const beside = ["data", "library", "etcetera", "users", "binaries/registry", "var/lib/docker-registry"];
    const below = themselves
      .filter((folder) => !["", "home", "Users"].includes(folder))
      .map((folder) => `${folder}/registry`);
    for (const folder of [...beside, ...below, "home/alice/registry/.data", "srv/..registry", "srv/a b"])
      for (const dataPath of [`/${folder}`, `/${folder}/`]) assert.deepEqual(problemsOf({ dataPath }), [], dataPath);
  });

  for (const image of ["registry", "registry:latest", "Registry:3", "registry:3 .1", "registry@sha256:abc"]) {
    it(`refuses image ${image}`, () => {
      assert.match(only(problemsOf({ registryImage: image })), /^registryImage: .*pulumi config set registryImage/);
    });
  }

  for (const image of [
    "registry:3.1.2",
    "mirror.example:5000/library/registry:3.1.2",
    `registry@sha256:${"a".repeat(64)}`,
  ]) {
    it(`accepts image ${image.slice(0, 60)}`, () => assert.deepEqual(problemsOf({ registryImage: image }), []));
  }

  it("refuses a target and a certificate mode that don't exist", () => {
    assert.match(only(problemsOf({ target: "moon" })), /^target: "moon".*local/);
    assert.match(
      only(problemsOf({ certificate: '{"mode":"acne"}' })),
      /^certificate\.mode: "acne".*selfSigned, provided/,
    );
  });

  it("never throws, whatever the settings hold", () => {
    const text = fc.oneof(fc.string(), fc.json());
    const raw = fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom(...Object.keys(defaults), "users", "certificate")),
      text,
    );
    fc.assert(
      fc.property(raw, (settings) => void parseWith(settings)),
      { numRuns: 500 },
    );
  });
});

describe("a provided certificate", function () {
  this.timeout(30_000);
  const root = issue({ commonName: "Root" });
  const intermediate = issue({ commonName: "Intermediate", issuer: root });
  const server = issue({
    commonName: "server",
    names: "DNS:registrydev1.yourdomain.com,IP:192.168.99.100",
    issuer: intermediate,
  });
  const wildcard = issue({ commonName: "wildcard", names: "DNS:*.yourdomain.com", issuer: intermediate });
  const expired = issue({
    commonName: "old",
    names: "DNS:registrydev1.yourdomain.com",
    issuer: intermediate,
    days: -1,
  });
  const chainOf = (...issued: { certificate: string }[]) => issued.map(({ certificate }) => certificate).join("");

  const provide = (bundle: string, key: string, hostname = "registrydev1.yourdomain.com") =>
    problemsOf({ hostname, certificate: JSON.stringify({ mode: "provided", bundle, key }) });

  it("is accepted for a single domain, an address or a wildcard", () => {
    assert.deepEqual(provide(chainOf(server, intermediate, root), server.key), []);
    assert.deepEqual(provide(chainOf(server, intermediate, root), server.key, "192.168.99.100"), []);
    assert.deepEqual(provide(chainOf(wildcard, intermediate, root), wildcard.key), []);
  });

  it("is read from files, too, and its key is passed on as a secret", async () => {
    const folder = mkdtempSync(join(tmpdir(), "provided-"));
    const files = { bundleFile: join(folder, "docker-registry.crt"), keyFile: join(folder, "docker-registry.key") };
    try {
      writeFileSync(files.bundleFile, chainOf(server, intermediate, root));
      writeFileSync(files.keyFile, server.key);
      const { settings, problems } = parseWith({
        hostname: "registrydev1.yourdomain.com",
        certificate: JSON.stringify({ mode: "provided", ...files }),
      });
      assert.deepEqual(problems, []);
      assert.equal(settings.certificate?.mode, "provided");
      assert.deepEqual(await resolve(settings.certificate.key), { value: server.key, secret: true });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("is refused with the key of another certificate", () => {
    assert.match(
      only(provide(chainOf(server, intermediate, root), wildcard.key)),
      /^certificate\.key: is not the key of the cert/,
    );
  });

  it("is refused for another name, for a subdomain of a wildcard's domain, and for the default endpoint", () => {
    assert.match(
      only(provide(chainOf(server, intermediate, root), server.key, "other.example")),
      /^hostname: "other\.example" is not covered/,
    );
    assert.match(
      only(provide(chainOf(wildcard, intermediate, root), wildcard.key, "a.b.yourdomain.com")),
      /^hostname: /,
    );
    assert.match(
      only(provide(chainOf(server, intermediate, root), server.key, "")),
      /^hostname: "localhost" is not covered/,
    );
  });

  it("is refused if it is expired", () => {
    assert.match(
      only(provide(chainOf(expired, intermediate, root), expired.key)),
      /^certificate\.bundle: is out of date: old expired/,
    );
  });

  it("is refused with an incomplete chain", () => {
    assert.match(
      only(provide(chainOf(server), server.key)),
      /is incomplete: the certificate of Intermediate, which issued server/,
    );
    assert.match(only(provide(chainOf(server, intermediate), server.key)), /is incomplete: the certificate of Root/);
    assert.match(only(provide(chainOf(server, root), server.key)), /is incomplete: the certificate of Intermediate/);
  });

  it("is refused when a part is missing, unreadable or encrypted, each named by its own path", () => {
    const one = (certificate: object) =>
      problemsOf({ certificate: JSON.stringify({ mode: "provided", ...certificate }) });
    assert.match(one({ bundle: "x" }).join("\n"), /^certificate\.key: set exactly one of key and keyFile/m);
    assert.match(one({ bundle: "x", key: "y" }).join("\n"), /^certificate\.bundle: holds no readable PEM certificate/m);
    assert.match(
      one({ bundleFile: "/nowhere/a.pem", key: "y" }).join("\n"),
      /^certificate\.bundleFile: can't be read: ENOENT/m,
    );
    const locked = createPrivateKey(server.key)
      .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" })
      .toString();
    assert.match(
      only(provide(chainOf(server, intermediate, root), locked)),
      /^certificate\.passphrase: is missing: the key is encrypted/,
    );
  });
});
