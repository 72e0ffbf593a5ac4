import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { parseSettings } from "../../../settings/index.ts";
import { resolve } from "../../support/mocks.ts";
import { defaults } from "../../support/settings.ts";

const zone = "example.com";
const hostname = "registry.example.com";
const token = "dnsimple_a_0123456789";
const dnsimple = { provider: "dnsimple", zone, account: 1010, token };

/** A host with a known address. */
const own = { target: "ssh", host: '{"address":"203.0.113.10","hostKey":"ssh-ed25519 AAAA"}' };

function parseWith(dns: object, more: Record<string, string> = own, home = "/nowhere") {
  return parseSettings(
    { ...defaults, hostname, dns: JSON.stringify(dns), ...more },
    { env: { AWS_REGION: "eu-central-1", DIGITALOCEAN_TOKEN: "dop_v1_0" }, home, now: new Date() },
  );
}

function problemsOf(...given: Parameters<typeof parseWith>): string[] {
  return parseWith(...given).problems.map(({ setting, wrong, cure }) => `${setting}: ${wrong}. ${cure}`);
}

describe("the setting dns", () => {
  for (const provider of ["route53", "digitalocean"]) {
    it(`accepts a zone at ${provider}, with a ttl of five minutes`, () => {
      const { settings, problems } = parseWith({ provider, zone });
      assert.deepEqual(problems, []);
      assert.deepEqual(settings.dns, { provider, zone, ttl: 300 });
      assert.deepEqual(parseWith({ provider, zone, ttl: "60" }).settings.dns, { provider, zone, ttl: 60 });
    });
  }

  it("accepts a zone at dnsimple with account and token, and passes the token on as a secret", async () => {
    const { settings, problems } = parseWith(dnsimple);
    assert.deepEqual(problems, []);
    assert.ok(settings.dns?.provider === "dnsimple");
    const { token: given, ...rest } = settings.dns;
    assert.deepEqual(rest, { provider: "dnsimple", zone, ttl: 300, account: 1010, apiUrl: undefined });
    assert.deepEqual(await resolve(given), { value: token, secret: true });
  });

  it("accepts another address of dnsimple's API, without a slash at its end", () => {
    const { dns } = parseWith({ ...dnsimple, apiUrl: "https://api.sandbox.dnsimple.com/" }).settings;
    assert.equal(dns?.provider === "dnsimple" && dns.apiUrl, "https://api.sandbox.dnsimple.com");
  });

  it("is nothing if it is not set", () => {
    const { settings, problems } = parseSettings(defaults, { env: {}, home: "/nowhere", now: new Date() });
    assert.deepEqual([settings.dns, problems], [undefined, []]);
  });

  for (const [given, wrong, cure] of [
    [{ zone }, "is not set: a DNS provider is needed", "route53"],
    [{ provider: "dnsimpel", zone }, '"dnsimpel" is not a DNS provider', "dnsimple"],
    [{ provider: "cloudflare", zone }, '"cloudflare" is not a DNS provider', "route53"],
    // Not quoted: it may be the token.
    [["route53"], "is not set: a DNS provider is needed", "route53"],
  ] as const) {
    it(`refuses ${JSON.stringify(given)}, and names the known providers`, () => {
      assert.deepEqual(problemsOf(given), [
        `dns.provider: ${wrong}; choose one of: route53, digitalocean, dnsimple. ` +
          `pulumi config set --path 'dns.provider' ${cure}`,
      ]);
    });
  }

  for (const name of ["", "com", "example..com", "-a.example", "a_b.example", "203.0.113.7", ["example.com"]]) {
    it(`refuses the zone ${JSON.stringify(name)}`, () => {
      assert.deepEqual(problemsOf({ provider: "route53", zone: name }), [
        `dns.zone: ${JSON.stringify(name)} is not the name of a zone. pulumi config set --path 'dns.zone' example.com`,
      ]);
    });
  }

  it("accepts a name in its zone, at any depth, and the zone itself, however both are written", () => {
    for (const name of ["registry.example.com", "a.b.example.com", "example.com", "REGISTRY.Example.com"])
      for (const written of ["example.com", "Example.COM", "example.com."]) {
        const { settings, problems } = parseWith({ provider: "route53", zone: written }, { ...own, hostname: name });
        assert.deepEqual(problems, []);
        assert.deepEqual([settings.dns?.zone, settings.hostname], ["example.com", name.toLowerCase()]);
      }
  });

  for (const name of ["registry.example.org", "myexample.com", "com", "203.0.113.7"]) {
    it(`refuses the hostname ${name}, which isn't in the zone, in one sentence`, () => {
      assert.deepEqual(problemsOf({ provider: "route53", zone }, { ...own, hostname: name }), [
        `hostname: "${name}" is not in the zone "example.com", so that zone can't have a record for it. ` +
          "pulumi config set hostname registry.example.com",
      ]);
    });
  }

  it("needs a hostname", () => {
    assert.deepEqual(problemsOf({ provider: "route53", zone }, { ...own, hostname: "" }), [
      "hostname: is not set: a DNS record needs a name. pulumi config set hostname registry.example.com",
    ]);
  });

  for (const ttl of [0, 29, 86_401, 60.5, "1h"]) {
    it(`refuses the ttl ${JSON.stringify(ttl)}`, () => {
      assert.deepEqual(problemsOf({ provider: "route53", zone, ttl }), [
        `dns.ttl: ${JSON.stringify(ttl)} is not a whole number of seconds from 30 to 86400. pulumi config set --path 'dns.ttl' 300`,
      ]);
    });
  }

  it("refuses missing or invalid values for dnsimple, and never quotes the token", () => {
    const account = "is not the number of a DNSimple account. pulumi config set --path 'dns.account' 1010";
    const cure = "pulumi config set --secret --path 'dns.token'";
    const missing = `dns.token: is not set: an API token of the account is needed. ${cure}`;
    assert.deepEqual(problemsOf({ provider: "dnsimple", zone }), [
      "dns.account: is not set: the number of a DNSimple account is needed. pulumi config set --path 'dns.account' 1010",
      missing,
    ]);
    assert.deepEqual(problemsOf({ ...dnsimple, account: "me@example.com", apiUrl: "sandbox", ttl: 1 }), [
      "dns.ttl: 1 is not a whole number of seconds from 30 to 86400. pulumi config set --path 'dns.ttl' 300",
      `dns.account: "me@example.com" ${account}`,
      `dns.apiUrl: "sandbox" is not an https URL. pulumi config set --path 'dns.apiUrl' https://api.sandbox.dnsimple.com`,
    ]);
    assert.match(problemsOf({ ...dnsimple, apiUrl: "http://127.0.0.1:8080" })[0] ?? "", /is not an https URL/);
    assert.deepEqual(problemsOf({ ...dnsimple, token: "" }), [missing]);
    for (const wrong of [{ secure: token }, [token]])
      assert.deepEqual(problemsOf({ ...dnsimple, token: wrong }), [`dns.token: is not text. ${cure}`]);
  });

  it("refuses unknown keys, and those of dnsimple for other providers", () => {
    assert.deepEqual(problemsOf({ provider: "route53", zone, tll: 60 }), [
      "dns.tll: there is no such setting. did you mean dns.ttl? To remove it: pulumi config rm --path 'dns.tll'",
    ]);
    for (const [key, value] of Object.entries({ account: 1010, token, apiUrl: "https://api.dnsimple.com" })) {
      const [problem = "", ...more] = problemsOf({ provider: "digitalocean", zone, [key]: value });
      assert.ok(problem.startsWith(`dns.${key}: there is no such setting.`), problem);
      assert.deepEqual(more, []);
    }
  });

  it("is also for an existing engine, if its address is an IPv4 address, as that of a docker-machine", () => {
    const home = mkdtempSync(join(tmpdir(), "home-"));
    try {
      const folder = join(home, ".docker", "machine", "machines", "dev1");
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "config.json"), JSON.stringify({ Driver: { IPAddress: "192.168.99.100" } }));
      assert.deepEqual(problemsOf(dnsimple, { dockerMachine: "dev1" }, home), []);
    } finally {
      rmSync(home, { recursive: true });
    }
  });

  it("is refused if the host's address is no IPv4 address, which a record needs", () => {
    const named = { target: "ssh", host: '{"address":"build.example","hostKey":"ssh-ed25519 AAAA"}' };
    const local = { dockerHost: "unix:///a.sock" };
    for (const [address, more] of Object.entries({ localhost: local, "build.example": named }))
      assert.deepEqual(problemsOf(dnsimple, more), [
        `dns: creates an A record, but the host's address, ${address}, is not an IPv4 address. ` +
          "pulumi config rm dns, or name a host that other machines can reach",
      ]);
  });
});
