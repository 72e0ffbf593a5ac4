import assert from "node:assert/strict";

import * as pulumi from "@pulumi/pulumi";

import { parseSettings } from "../../../settings/index.ts";
import { issue } from "../../support/certificates.ts";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEx5QXVF4q0cU6Zk2iI4m8oR7sT9vWbYcZdAfBgChDkE";
const base = { hostname: "registry.example.com" };
const credentials = { AWS_REGION: "eu-central-1", DIGITALOCEAN_TOKEN: "dop_v1_0" };
const read = (certificate: object, more: Record<string, string> = {}, env: NodeJS.ProcessEnv = credentials) =>
  parseSettings(
    { ...base, certificate: JSON.stringify({ mode: "acme", ...certificate }), ...more },
    { env, now: new Date() },
  );
const problemsOf = (certificate: object, more: Record<string, string> = {}) =>
  read(certificate, more).problems.map(({ setting, wrong, cure }) => `${setting}: ${wrong}. ${cure}`);

const machine = {
  target: "digitalocean",
  host: JSON.stringify({ region: "fra1", sshFrom: ["203.0.113.7/32"], registryFrom: ["203.0.113.7/32"] }),
};
const digitalOcean = { provider: "digitalocean", zone: "example.com", token: "secret" };

describe("the certificate mode acme", () => {
  it("needs nothing else but a name, and asks Let's Encrypt", () => {
    const { settings, problems } = read({});
    assert.deepEqual(problems, []);
    assert.deepEqual(settings.certificate, {
      ...{ mode: "acme", server: "https://acme-v02.api.letsencrypt.org/directory", keyType: "ec256" },
      challenge: { type: "http-01", port: 80 },
      ...{ names: [], email: undefined, authority: undefined, profile: undefined, eab: undefined },
    });
  });

  it("takes all that an authority may want", async () => {
    const { certificate: authority } = issue({ commonName: "Root" });
    const given = {
      server: "https://ca.example.com/acme/directory",
      ...{ email: "ops@example.com", profile: "shortlived", keyType: "rsa2048", authority },
    };
    const account = { kid: "KID", hmac: "secret" };
    const { settings, problems } = read({ ...given, httpPort: "8080", names: ["B.example.com"], eab: account });
    assert.deepEqual(problems, []);
    const { certificate } = settings;
    assert.ok(certificate?.mode === "acme");
    const { eab, ...plain } = certificate;
    const challenge = { type: "http-01", port: 8080 };
    assert.deepEqual(plain, { mode: "acme", ...given, challenge, names: ["b.example.com"] });
    assert.equal(eab?.kid, "KID");
    assert.ok(await pulumi.isSecret(eab.hmac));
    const staging = read({ server: "staging" }).settings.certificate;
    assert.match(staging?.mode === "acme" ? staging.server : "", /^https:\/\/acme-staging/);
  });

  it("answers by DNS with a token of its own, in the zone of the record unless another one is named", async () => {
    const challengeOf = (dns: object, more: Record<string, string> = {}) => {
      const { settings, problems } = read({ dns, names: ["*.example.com"] }, more);
      assert.deepEqual(problems, []);
      assert.ok(settings.certificate?.mode === "acme" && settings.certificate.challenge.type === "dns-01");
      return settings.certificate.challenge;
    };
    const common = { type: "dns-01", zone: "example.com" };
    const dns = JSON.stringify({ provider: "route53", zone: "Example.com." });
    assert.deepEqual(challengeOf({ provider: "route53" }, { ...machine, dns }), {
      ...{ ...common, provider: "route53", apiUrl: undefined, resolvers: [] },
    });
    const { provider, ...challenge } = challengeOf({
      ...{ provider: "digitalocean", zone: "example.com", token: "secret" },
      ...{ apiUrl: "https://api.example.net/", resolvers: ["192.0.2.53:53"] },
    });
    assert.ok(provider === "digitalocean" && "token" in challenge);
    const { token, ...plain } = challenge;
    assert.deepEqual(plain, { ...common, apiUrl: "https://api.example.net", resolvers: ["192.0.2.53:53"] });
    assert.ok(await pulumi.isSecret(token));
  });

  const ownMachine = (address: string) => ({ target: "ssh", host: JSON.stringify({ address, hostKey }) });

  it("needs a DNS name on a machine of one's own: its hostname, or what the machine is reached by", () => {
    assert.deepEqual(problemsOf({}, ownMachine("203.0.113.7")), []);
    assert.deepEqual(problemsOf({}, { ...ownMachine("registry.example.com"), hostname: "" }), []);
  });

  const wrong: Record<string, readonly [certificate: object, more: Record<string, string>, problem: RegExp]> = {
    "no hostname": [
      {},
      { hostname: "" },
      /^hostname: is not set, and "localhost" is no name for which .* pulumi config set/,
    ],
    "a loopback name": [{}, { hostname: "127.0.0.1" }, /^hostname: "127\.0\.0\.1" is no name for which/],
    "an address": [{}, { hostname: "203.0.113.7" }, /^hostname: "203\.0\.113\.7" is no name for which/],
    "an address as another name": [
      { names: ["203.0.113.7"] },
      {},
      /^certificate\.names\[0\]: "203\.0\.113\.7" is no name/,
    ],
    "a wildcard": [
      { names: ["*.example.com"] },
      {},
      /^certificate\.names\[0\]: "\*\.example\.com" is a wildcard, which needs certificate\.dns/,
    ],
    "a star within a name": [
      { names: ["a.*.example.com"] },
      {},
      /^certificate\.names\[0\]: "a\.\*\.example\.com" is neither a DNS name nor a wildcard as \*\.example\.com/,
    ],
    "challenges at an unknown provider, without what follows from it": [
      { dns: { provider: "route35", zone: "example.com" }, names: ["*.example.com"] },
      {},
      /^certificate\.dns\.provider: "route35" is not a DNS provider/,
    ],
    "challenges in no zone": [
      { dns: { provider: "digitalocean", token: "secret" } },
      {},
      /^certificate\.dns\.zone: is not set\. pulumi config set --path 'certificate\.dns\.zone' example\.com/,
    ],
    "challenges without a token": [
      { dns: { provider: "digitalocean", zone: "example.com" } },
      {},
      /^certificate\.dns\.token: is not set: an API token is needed/,
    ],
    "a token for Route 53": [
      { dns: { provider: "route53", zone: "example.com", token: "secret" } },
      {},
      /^certificate\.dns\.token: /,
    ],
    "a hostname in another zone": [
      { dns: { ...digitalOcean, zone: "example.net" } },
      {},
      /^hostname: "registry\.example\.com" is not in the zone "example\.net" of certificate\.dns\. .* registry\.example\.net/,
    ],
    "a wildcard in another zone": [
      { dns: digitalOcean, names: ["*.example.net"] },
      {},
      /^certificate\.names\[0\]: "\*\.example\.net" is not in the zone/,
    ],
    "a resolver that is a URL": [
      { dns: { ...digitalOcean, resolvers: ["https://dns.example.com"] } },
      {},
      /^certificate\.dns\.resolvers\[0\]: /,
    ],
    "an address with challenges by DNS": [
      { dns: digitalOcean },
      { ...machine, hostname: "" },
      /^hostname: is not set, and an address has no record: certificate\.dns needs a DNS name/,
    ],
    "an unknown server": [
      { server: "letsencypt" },
      {},
      /^certificate\.server: "letsencypt" is not letsencrypt, staging or the/,
    ],
    "a server without TLS": [{ server: "http://ca.example.com" }, {}, /^certificate\.server: /],
    "an unknown type of key": [
      { keyType: "ed25519" },
      {},
      /^certificate\.keyType: "ed25519" is not a type of key; choose one of/,
    ],
    "an authority that is a path": [
      { authority: "ROOT.pem" },
      {},
      /^certificate\.authority: is not the PEM text .* < ROOT\.pem/,
    ],
    "an authority that can't be read": [
      { authority: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----" },
      {},
      /^certificate\.authority: holds no readable certificate/,
    ],
    "no secret for an account": [
      { eab: { kid: "KID" } },
      {},
      /^certificate\.eab\.hmac: is not set: an HMAC key is needed/,
    ],
    "an address that is none": [{ email: "ops" }, {}, /^certificate\.email: "ops" is not an email address/],
    "the port of the registry": [
      { httpPort: 5043 },
      {},
      /^certificate\.httpPort: 5043 is also port, where clients speak TLS/,
    ],
    "the address of a machine of one's own, which may not be public": [
      {},
      { ...ownMachine("203.0.113.7"), hostname: "" },
      /^hostname: is not set, and "203\.0\.113\.7" is no name for which/,
    ],
    "a setting of another mode": [
      { bundleFile: "a.pem" },
      {},
      /^certificate\.bundleFile: there is no such setting|no such setting/,
    ],
  };
  for (const [what, [certificate, more, problem]] of Object.entries(wrong))
    it(`refuses ${what}`, () => {
      const problems = problemsOf(certificate, more);
      assert.equal(problems.length, 1, problems.join("\n"));
      assert.match(problems[0] ?? "", problem);
    });

  it("needs a region of AWS for challenges in Route 53, as it makes a user there", () => {
    const { problems } = read({ dns: { provider: "route53", zone: "example.com" } }, {}, {});
    assert.deepEqual(
      problems.map(({ setting, wrong }) => `${setting}: ${wrong}`),
      ["aws:region: is not set: a region is needed"],
    );
  });
});
