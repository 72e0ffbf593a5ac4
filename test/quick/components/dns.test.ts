import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { globalAgent } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as pulumi from "@pulumi/pulumi";

import { Route53DnsRecord } from "../../../clouds/aws/record.ts";
import { DigitalOceanDnsRecord } from "../../../clouds/digitalOcean/record.ts";
import { DnsimpleDnsRecord } from "../../../clouds/dnsimple/record.ts";
import type { DnsRecordArgs } from "../../../components/dnsRecord.ts";
import { find, providerOf, record } from "../../support/mocks.ts";
import { computed } from "../../support/providers.ts";
import type { Dns, DnsRecord } from "../../testCloud/dns.ts";
import { Dnsimple } from "../../testCloud/dnsimple.ts";
import { Faults } from "../../testCloud/faults.ts";

const zone = "example.com";
const args = { name: "registry.example.com", zone, ttl: 300, ipv4Address: "192.0.2.1" };
const ipv6Address = "2001:db8::1";
/** Names, and their form in the zone. */
const names = { "registry.example.com": "registry", "a.b.example.com": "a.b", "example.com": "@" };

describe("the record of a hostname", () => {
  it("is an A record at DigitalOcean, also an AAAA record for an IPv6 address, under its name in the zone", async () => {
    const type = "digitalocean:index/dnsRecord:DnsRecord";
    const make = (more: Partial<DnsRecordArgs>) =>
      record(() => new DigitalOceanDnsRecord("d", { ...args, ...more }), computed);
    for (const [name, own] of Object.entries(names)) {
      const { resources } = await make({ name, ipv6Address });
      assert.equal(resources.length, 3);
      const common = { domain: zone, name: own, ttl: 300 };
      assert.deepEqual(find(resources, type, "d-a").inputs, { ...common, type: "A", value: "192.0.2.1" });
      assert.deepEqual(find(resources, type, "d-aaaa").inputs, { ...common, type: "AAAA", value: ipv6Address });
    }
    const { resources } = await make({});
    assert.deepEqual(
      resources.map(({ name }) => name),
      ["d", "d-a"],
    );
  });

  it("is in the public zone of Route 53, under its full name, and replaces an existing one", async () => {
    const type = "aws:route53/record:Record";
    const asked: unknown[] = [];
    const zones = { "aws:route53/getZone:getZone": (inputs: object) => (asked.push(inputs), { zoneId: "Z1" }) };
    const make = (more: Partial<DnsRecordArgs>) =>
      record(() => new Route53DnsRecord("d", { ...args, ...more }), { ...computed, ...zones });
    for (const name of Object.keys(names)) {
      const { resources } = await make({ name, ipv6Address });
      assert.equal(resources.length, 3);
      const common = { zoneId: "Z1", name, ttl: 300, allowOverwrite: true };
      assert.deepEqual(find(resources, type, "d-a").inputs, { ...common, type: "A", records: ["192.0.2.1"] });
      assert.deepEqual(find(resources, type, "d-aaaa").inputs, { ...common, type: "AAAA", records: [ipv6Address] });
    }
    assert.deepEqual(asked[0], { name: zone, privateZone: false });
    const { resources } = await make({});
    assert.deepEqual(
      resources.map(({ name }) => name),
      ["d", "d-a"],
    );
  });

  it("is at DNSimple with a token that stays secret", async () => {
    const type = "pulumi-nodejs:dynamic/privateregistry:DnsimpleRecord";
    const account = { account: 1010, token: pulumi.secret("dnsimple_a_0") };
    const make = (more: Partial<DnsRecordArgs> & { apiUrl?: string }) =>
      record(() => new DnsimpleDnsRecord("d", { ...args, ...account, ...more }), computed);
    for (const [name, own] of Object.entries(names)) {
      const { resources } = await make({ name, ipv6Address });
      assert.equal(resources.length, 3);
      const common = { account: 1010, token: "dnsimple_a_0", apiUrl: "https://api.dnsimple.com", zone, ttl: 300 };
      for (const [logicalName, record] of [
        ["d-a", { type: "A", value: "192.0.2.1" }],
        ["d-aaaa", { type: "AAAA", value: ipv6Address }],
      ] as const) {
        const { inputs, secrets, options } = find(resources, type, logicalName);
        const { __provider: text, ...rest } = inputs;
        assert.deepEqual(rest, { ...common, name: own, ...record });
        assert.doesNotMatch(String(text), /dnsimple_a_0/);
        assert.deepEqual([secrets, options.secretOutputs], [["token"], ["token"]]);
      }
    }
    const { resources } = await make({ apiUrl: "https://api.sandbox.dnsimple.com" });
    assert.equal(find(resources, type, "d-a").inputs["apiUrl"], "https://api.sandbox.dnsimple.com");
    assert.deepEqual(
      resources.map(({ name }) => name),
      ["d", "d-a"],
    );
  });
});

describe("a record at DNSimple", () => {
  const token = "dnsimple_a_0123456789";
  const faults = new Faults();
  /** The zone's answers, by the record's owner. */
  const served = new Map<unknown, DnsRecord>();
  let folder: string;
  let service: Dnsimple;
  let provider: ReturnType<typeof providerOf<Inputs>>;
  let inputs: Inputs;

  type Inputs = Readonly<Record<"apiUrl" | "token" | "zone" | "name" | "type" | "value", string>> &
    Readonly<Record<"account" | "ttl", number>>;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "dnsimple-"));
    const dns = {
      set: (owner: unknown, of: DnsRecord) => Promise.resolve(served.set(owner, of)),
      delete: (owner: unknown) => Promise.resolve(served.delete(owner)),
    };
    service = new Dnsimple(folder, [zone], token, dns as unknown as Dns, faults);
    await service.start();
    // Their client can't be given an authority.
    globalAgent.options.ca = readFileSync(service.authority);
    const { resources } = await record(() => new DnsimpleDnsRecord("d", { ...args, account: 1010, token }), computed);
    provider = providerOf<Inputs>(find(resources, "pulumi-nodejs:dynamic/privateregistry:DnsimpleRecord", "d-a"));
    const common = { apiUrl: service.url, account: service.account, token, zone, ttl: 300 };
    inputs = { ...common, name: "registry", type: "A", value: "192.0.2.1" };
  });

  after(() => {
    service.stop();
    delete globalAgent.options.ca;
    rmSync(folder, { recursive: true });
  });

  beforeEach(() => {
    served.clear();
    faults.calls.length = 0;
  });

  it("is created, changed and deleted", async () => {
    const answer = { name: "registry.example.com", type: "A", ttl: 300, values: ["192.0.2.1"] };
    const { id, outs } = await provider.create(inputs);
    assert.deepEqual(outs, inputs);
    assert.deepEqual([...served.values()], [answer]);
    const news = { ...inputs, ttl: 60, value: "192.0.2.2" };
    assert.deepEqual(await provider.update(id, inputs, news), { outs: news });
    assert.deepEqual([...served.values()], [{ ...answer, ttl: 60, values: ["192.0.2.2"] }]);
    await provider.delete(id, news);
    assert.deepEqual([...served.values()], []);
  });

  it("is at the top of the zone if the name is the zone's", async () => {
    const apex = { ...inputs, name: "@", type: "AAAA", value: "2001:db8::1" };
    const { id } = await provider.create(apex);
    assert.deepEqual([...served.values()], [{ name: "example.com", type: "AAAA", ttl: 300, values: ["2001:db8::1"] }]);
    await provider.delete(id, apex);
  });

  it("is taken over if an interrupted run has created it", async () => {
    const made = await provider.create(inputs);
    assert.deepEqual(await provider.create(inputs), made);
    assert.equal(served.size, 1);
    await provider.delete(made.id, inputs);
  });

  it("gets the ttl of the settings if it was created with another", async () => {
    const made = await provider.create({ ...inputs, ttl: 60 });
    assert.equal((await provider.create(inputs)).id, made.id);
    assert.deepEqual(
      [...served.values()].map(({ ttl }) => ttl),
      [300],
    );
    await provider.delete(made.id, inputs);
  });

  it("is read with changes made by hand, and as gone once it was deleted", async () => {
    const { id } = await provider.create(inputs);
    assert.deepEqual(await provider.read(id, inputs), { id, props: inputs });
    const changed = { ...inputs, value: "192.0.2.9", ttl: 60 };
    await provider.update(id, inputs, changed);
    assert.deepEqual(await provider.read(id, inputs), { id, props: changed });
    await provider.delete(id, inputs);
    assert.deepEqual(await provider.read(id, inputs), {});
  });

  it("is assumed unchanged if it can't be read, as the token may be about to change", async () => {
    const { id } = await provider.create(inputs);
    const stale = { ...inputs, token: "dnsimple_a_wrong" };
    assert.deepEqual(await provider.read(id, stale), { id, props: stale });
    await provider.delete(id, inputs);
  });

  it("can't be changed when it is gone, and the error says what to do", async () => {
    const { id } = await provider.create(inputs);
    await provider.delete(id, inputs);
    await assert.rejects(provider.update(id, inputs, { ...inputs, ttl: 60 }), {
      message: "DNSimple refuses the record in example.com: it is gone; `make up` notes that",
    });
  });

  it("is refused with DNSimple's own reason", async () => {
    const { id } = await provider.create(inputs);
    const other = { ...inputs, value: "192.0.2.9" };
    const { id: otherId } = await provider.create(other);
    await assert.rejects(provider.update(otherId, other, inputs), {
      message: "DNSimple refuses the record in example.com: Validation failed; base: The record already exists",
    });
    for (const made of [id, otherId]) await provider.delete(made, inputs);
  });

  it("is reported if nobody answers", async () => {
    await assert.rejects(provider.create({ ...inputs, apiUrl: "https://127.0.0.1:1" }), {
      message: "DNSimple does not answer about the record in example.com: connect ECONNREFUSED 127.0.0.1:1",
    });
  });

  it("is reported if something else answers in place of DNSimple", async () => {
    service.isDown = true;
    try {
      await assert.rejects(provider.create(inputs), {
        message: "DNSimple does not answer about the record in example.com: its service is not there at the moment",
      });
    } finally {
      service.isDown = false;
    }
  });

  it("is not taken over if it is for another name, type or address", async () => {
    const others = [{ name: "other" }, { type: "TXT" }, { value: "192.0.2.9" }].map((other) => ({
      ...inputs,
      ...other,
    }));
    const made = [];
    for (const record of [...others, inputs]) made.push((await provider.create(record)).id);
    assert.equal(new Set(made).size, 4);
    for (const id of made) await provider.delete(id, inputs);
  });

  it("may already be gone when it is deleted", async () => {
    const { id } = await provider.create(inputs);
    await provider.delete(id, inputs);
    await provider.delete(id, inputs);
    assert.equal(faults.calls.filter((call) => call.startsWith("DELETE")).length, 2);
  });

  it("is replaced for another zone, name, type or account, and changes in place for all else", async () => {
    const diffOf = (changed: object) => provider.diff("1", inputs, { ...inputs, ...changed });
    const deleteBeforeReplace = true;
    assert.deepEqual(await diffOf({ __provider: "new" }), { changes: false, replaces: [], deleteBeforeReplace });
    for (const changed of [{ ttl: 60 }, { value: "192.0.2.2" }, { token: "other" }, { apiUrl: "https://other" }])
      assert.deepEqual(await diffOf(changed), { changes: true, replaces: [], deleteBeforeReplace });
    for (const changed of [{ zone: "example.org" }, { name: "@" }, { type: "AAAA" }, { account: 1 }])
      assert.deepEqual(await diffOf(changed), { changes: true, replaces: Object.keys(changed), deleteBeforeReplace });
  });

  for (const [what, wrong, told] of [
    ["a token that is not accepted", { token: "dnsimple_a_wrong" }, "example.com: the token is not accepted"],
    ["a zone that the account doesn't have", { zone: "example.org" }, "example.org: the account has no such zone"],
  ] as const) {
    it(`is refused with ${what}, in a sentence without the token`, async () => {
      const given = { ...inputs, ...wrong };
      const expected = (error: Error) => {
        assert.equal(error.message, `DNSimple refuses the record in ${told}`);
        assert.equal(error.stack, error.message);
        return true;
      };
      await assert.rejects(provider.create(given), expected);
      await assert.rejects(provider.update("1", inputs, given), expected);
      assert.deepEqual([...served.values()], []);
    });
  }

  it("can't be deleted with a token that is no longer accepted", async () => {
    const { id } = await provider.create(inputs);
    await assert.rejects(provider.delete(id, { ...inputs, token: "dnsimple_a_wrong" }), {
      message: "DNSimple refuses the record in example.com: the token is not accepted",
    });
    assert.equal(served.size, 1);
    await provider.delete(id, inputs);
  });
});
