import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { promises as resolvers } from "node:dns";
import { get } from "node:https";
import { text } from "node:stream/consumers";

import { freePort } from "../support/checkout.ts";
import { Authority } from "../support/pebble.ts";

interface Directory {
  readonly newOrder: string;
  readonly meta: { readonly externalAccountRequired?: boolean; readonly profiles: Record<string, string> };
}

describe("the ACME authority of the tests", function () {
  this.timeout(180_000); // The first time it is built.

  let authority: Authority;

  before(async () => {
    authority = await Authority.start({ httpPort: await freePort(), profiles: { short: 120 } });
  });

  after(() => authority.dispose());

  /** Its directory, as a client gets it. */
  async function directory(): Promise<Directory> {
    const answer = await new Promise<string>((resolve, reject) => {
      const headers = { "User-Agent": "test" }; // It refuses clients without one.
      const options = { ca: authority.tlsRoot, agent: false, headers, signal: AbortSignal.timeout(300) };
      get(authority.directory, options, (response) => resolve(text(response))).on("error", reject);
    });
    return JSON.parse(answer) as Directory;
  }

  it("offers what it was asked for, also after a restart, where it has another root", async () => {
    const { newOrder, meta } = await directory();
    assert.equal(new URL(newOrder).host, new URL(authority.directory).host);
    assert.deepEqual(meta, { ...meta, profiles: { short: "120 s" }, externalAccountRequired: false });
    const root = new X509Certificate(await authority.root());

    await authority.stop();
    await assert.rejects(directory(), /ECONNREFUSED/);
    await authority.start({ eab: { kid: "one", hmac: "b25l" } });
    assert.equal((await directory()).meta.externalAccountRequired, true);
    assert.notEqual(new X509Certificate(await authority.root()).fingerprint256, root.fingerprint256);
  });

  it("doesn't answer while it is paused", async () => {
    authority.pause();
    await assert.rejects(directory(), /aborted/);
    authority.resume();
    await directory();
  });

  it("resolves every name, but not to an IPv6 address", async () => {
    const resolver = new resolvers.Resolver({ timeout: 1000 });
    resolver.setServers([authority.names.address]);
    assert.deepEqual(await resolver.resolve("any.test"), ["127.0.0.1"]);
    await assert.rejects(resolver.resolve("any.test", "AAAA"), /ENODATA/);
    for (const address of ["192.0.2.1", "192.0.2.2"]) await authority.names.setA("one.test", address);
    assert.deepEqual(await resolver.resolve("one.test"), ["192.0.2.2"]);
    await authority.names.addTxt("one.test", "a text");
    assert.deepEqual(await resolver.resolve("one.test", "TXT"), [["a text"]]);
  });
});
