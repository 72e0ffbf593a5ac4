import assert from "node:assert/strict";

import { deploy } from "../../../deploy.ts";
import type { Settings } from "../../../settings/index.ts";
import { find, record, resolve } from "../../support/mocks.ts";
import { computed } from "../../support/providers.ts";
import { hosts, localHost, settings } from "../../support/settings.ts";

const hostname = "registry.example.com";

async function outputsOf(changed: Partial<Settings>) {
  const { built, resources } = await record(() => deploy({ ...settings, ...changed }), computed);
  const { endpoint, address, records, login } = built.outputs;
  return {
    endpoint: await resolve(endpoint),
    address: await resolve(address),
    records: await resolve(records),
    login: await resolve(login),
    certificate: find(resources, "tls:index/certRequest:CertRequest", "private-registry-test-certificate-request")
      .inputs,
  };
}

const open = <T>(value: T) => ({ value, secret: false });

describe("the outputs", () => {
  for (const [what, host, address, records] of [
    ["a Droplet", hosts.digitalocean, "192.0.2.1", ["A 192.0.2.1", "AAAA 2001:db8::1"]],
    ["an instance", hosts.aws, "192.0.2.1", ["A 192.0.2.1"]],
    ["an instance with IPv6", { ...hosts.aws, ipv6: true }, "192.0.2.1", ["A 192.0.2.1", "AAAA 2001:db8::1"]],
    ["a machine of one's own", hosts.ssh, "203.0.113.10", ["A 203.0.113.10"]],
    ["a docker-machine", hosts.local, "192.168.99.100", ["A 192.168.99.100"]],
  ] as const) {
    it(`say where the registry is on ${what}, and which records point its name there`, async () => {
      const outputs = await outputsOf({ host, hostname });
      assert.deepEqual(outputs.endpoint, open("registry.example.com:5043"));
      assert.deepEqual(outputs.address, open(address));
      assert.deepEqual(outputs.records, open(records.map((each) => `registry.example.com ${each}`)));
    });
  }

  for (const [what, host] of [
    ["a Droplet", hosts.digitalocean],
    ["an instance", hosts.aws],
  ] as const) {
    it(`keep secret how to sign in to ${what}: as deploy, with a key, and its host key`, async () => {
      const { login } = await outputsOf({ host, hostname });
      assert.deepEqual(login, {
        value: {
          address: "192.0.2.1",
          user: "deploy",
          hostKey: "ssh-ed25519 private-registry-test-host-keys-host",
          privateKey: "private private-registry-test-host-keys-client",
        },
        secret: true,
      });
    });
  }

  it("say nothing of signing in to a machine that the stack didn't create", async () => {
    for (const host of [hosts.ssh, hosts.local, localHost])
      assert.deepEqual((await outputsOf({ host, hostname })).login, open(null));
  });

  it("name no records if only this machine can use the name", async () => {
    for (const name of [undefined, "localhost", "127.0.0.2"]) {
      const { records, address } = await outputsOf({ host: localHost, hostname: name });
      assert.deepEqual([records, address], [open([]), open("localhost")]);
    }
  });

  it("name no records if the machine's address is a name, which an A record can't hold", async () => {
    const host = { ...localHost, engine: { ...localHost.engine, address: "build.example" } };
    const { records, address } = await outputsOf({ host, hostname });
    assert.deepEqual([records, address], [open([]), open("build.example")]);
  });

  it("name no records if people type the address itself, which is then in the certificate", async () => {
    for (const host of [hosts.digitalocean, hosts.aws])
      for (const name of [undefined, "192.0.2.1"]) {
        const { endpoint, records, certificate } = await outputsOf({ host, hostname: name });
        assert.deepEqual([endpoint, records], [open("192.0.2.1:5043"), open([])]);
        assert.deepEqual([certificate["dnsNames"], certificate["ipAddresses"]], [[], ["192.0.2.1"]]);
      }
    const { records } = await outputsOf({ host: hosts.ssh });
    assert.deepEqual(records, open([]));
  });
});
