import assert from "node:assert/strict";

import * as pulumi from "@pulumi/pulumi";
import bcrypt from "bcryptjs";

import { Certificate } from "../../../components/certificate/certificate.ts";
import { Credentials } from "../../../components/credentials.ts";
import { OneShot } from "../../../components/oneShot.ts";
import { issue } from "../../support/certificates.ts";
import { find, record, resolve } from "../../support/mocks.ts";
import { computed } from "../../support/providers.ts";

describe("Credentials", () => {
  const users = [
    { name: "admin", role: "admin" },
    { name: "alice", role: "writer", password: pulumi.secret("given") },
  ] as const;

  it("hashes given and generated passwords, as secrets, the same on every run", async () => {
    const runs = [];
    for (let run = 0; run < 2; run++) {
      const { built } = await record(() => new Credentials("c", { users }), computed);
      const { value, secret } = await resolve(built.hashes);
      assert.equal(secret, true);
      runs.push(value);
    }
    const [first, second] = runs;
    assert.deepEqual(first, second);
    assert.ok(await bcrypt.compare("generatedpasswordgeneratedpasswo", first?.["admin"] ?? ""));
    assert.ok(await bcrypt.compare("given", first?.["alice"] ?? ""));
  });

  it("generates no password if one is given", async () => {
    const { resources } = await record(() => new Credentials("c", { users }), computed);
    const generated = resources.filter(({ name }) => name.endsWith("-password"));
    assert.deepEqual(
      generated.map(({ name }) => name),
      ["c-admin-password"],
    );
  });
});

describe("Certificate", () => {
  it("signs a short-lived certificate with a long-lived authority, and renews both before their end", async () => {
    const hosts = ["registry.example", "10.0.0.5"];
    const { resources } = await record(() => new Certificate("c", { source: { mode: "selfSigned" }, hosts }), computed);
    const ca = find(resources, "tls:index/selfSignedCert:SelfSignedCert", "c-ca").inputs;
    const leaf = find(resources, "tls:index/locallySignedCert:LocallySignedCert", "c-leaf").inputs;
    assert.equal(ca["isCaCertificate"], true);
    assert.deepEqual([ca["validityPeriodHours"], ca["earlyRenewalHours"]], [87_600, 8_760]);
    assert.deepEqual([leaf["validityPeriodHours"], leaf["earlyRenewalHours"]], [2_160, 720]);
    assert.deepEqual(leaf["allowedUses"], ["digital_signature", "server_auth"]);
    const request = find(resources, "tls:index/certRequest:CertRequest", "c-request").inputs;
    assert.deepEqual([request["dnsNames"], request["ipAddresses"]], [["registry.example"], ["10.0.0.5"]]);
  });

  it("names the root of a provided bundle as authority, and none if it has none", async () => {
    const root = issue({ commonName: "Root" });
    const server = issue({ commonName: "s", names: "DNS:registry.example", issuer: root });
    const authorityOf = async (bundle: string) => {
      const source = { mode: "provided", bundle, key: pulumi.secret(server.key) } as const;
      const { built, resources } = await record(() => new Certificate("c", { source, hosts: [] }), computed);
      assert.equal(resources.length, 1);
      return (await resolve(built.caCertificate)).value.trim();
    };
    assert.equal(await authorityOf(server.certificate + root.certificate), root.certificate.trim());
    assert.equal(await authorityOf(server.certificate), "");
  });
});

describe("OneShot", () => {
  const args = { failure: "it did not work", image: "i", user: "1:1", command: ["-c", "false"], volumes: [] };

  it("fails with what the command printed, and says how to try again", async () => {
    const ended = {
      ...computed,
      "docker:index/container:Container": () => ({ exitCode: 3, containerLogs: "no space\n" }),
    };
    const { built } = await record(() => new OneShot("once", args), ended);
    await assert.rejects(resolve(built.succeeded), (error: Error) => {
      assert.match(error.message, /^it did not work:\nno space\n/);
      assert.match(error.message, /pulumi up --replace 'urn:pulumi:test::private-registry::.*once-run'/);
      return true;
    });
  });

  it("says so if it never started and the provider has neither exit code nor log", async () => {
    const unstarted = {
      ...computed,
      "docker:index/container:Container": () => ({ exitCode: null, containerLogs: null }),
    };
    const { built } = await record(() => new OneShot("once", args), unstarted);
    await assert.rejects(
      resolve(built.succeeded),
      /^UserError: it did not work:\nit was not started\n|^Error: it did not/,
    );
  });

  it("has no network unless it joins a container's, and then also joins its processes", async () => {
    const alone = await record(() => new OneShot("once", args), computed);
    const joined = await record(() => new OneShot("once", { ...args, joins: "container:abc" }), computed);
    const inputs = (resources: typeof alone.resources) =>
      find(resources, "docker:index/container:Container", "once-run").inputs;
    assert.deepEqual([inputs(alone.resources)["networkMode"], inputs(alone.resources)["pidMode"]], ["none", undefined]);
    assert.deepEqual(
      [inputs(joined.resources)["networkMode"], inputs(joined.resources)["pidMode"]],
      ["container:abc", "container:abc"],
    );
  });
});
