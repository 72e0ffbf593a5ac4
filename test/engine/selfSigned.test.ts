import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { RegistryClient } from "../../cli/client.ts";
import { askCertificate } from "../../cli/status/certificate.ts";
import type { Outputs } from "../../components/outputs.ts";
import { issue } from "../support/certificates.ts";
import { Checkout } from "../support/checkout.ts";

interface Resource {
  readonly urn: string;
  readonly outputs: Record<string, unknown>;
}

/** A secret in a state that was exported with its secrets in clear text. */
interface Secret {
  readonly plaintext: string;
}

describe("a self-signed certificate", function () {
  this.timeout(10 * 60_000);

  let checkout: Checkout;
  let outputs: Outputs;

  before(async () => {
    checkout = new Checkout();
    await checkout.configure();
    outputs = await checkout.bringUp();
  });
  after(() => checkout.dispose());

  /** Makes the certificate of the stack one that its authority issued some days ago, for 90 days. */
  async function age(days: number): Promise<string> {
    const file = join(checkout.folder, "state.json");
    await checkout.pulumi("stack", "export", "--show-secrets", "--file", file);
    const state = JSON.parse(readFileSync(file, "utf8")) as { deployment: { resources: Resource[] } };
    const outputsOf = (name: string) => {
      const found = state.deployment.resources.find(({ urn }) =>
        urn.endsWith(`::${checkout.name}-certificate-${name}`),
      );
      assert.ok(found, `the state has no ${name}`);
      return found.outputs;
    };
    const keyOf = (name: string) => JSON.parse((outputsOf(name)["privateKeyPem"] as Secret).plaintext) as string;
    const { certificate } = issue({
      ...{ commonName: "localhost", names: "DNS:localhost,IP:127.0.0.1", key: keyOf("key") },
      ...{ begins: -days, days: 90 - days },
      issuer: { certificate: outputsOf("ca")["certPem"] as string, key: keyOf("ca-key") },
    });
    const { validFrom, validTo } = new X509Certificate(certificate);
    Object.assign(outputsOf("leaf"), {
      certPem: certificate,
      validityStartTime: new Date(validFrom).toISOString(),
      validityEndTime: new Date(validTo).toISOString(),
    });
    writeFileSync(file, JSON.stringify(state));
    const { code, output } = await checkout.pulumi("stack", "import", "--file", file);
    assert.equal(code, 0, output);
    return certificate;
  }

  it("that was issued 59 days ago is not renewed by `make up`", async () => {
    const old = new X509Certificate(await age(59));
    await checkout.makes("up");
    assert.equal((await askCertificate(outputs)).certificate.fingerprint256, old.fingerprint256);
  });

  it("that was issued 61 days ago is renewed by `make up`: itself only, and clients that trusted it go on", async () => {
    const old = new X509Certificate(await age(61));
    const output = await checkout.makes("up");
    assert.match(output, /LocallySignedCert .* replaced/);
    assert.doesNotMatch(output, /(SelfSignedCert|PrivateKey) .* (created|replaced|updated)/);
    const { certificate, distrusted } = await askCertificate(outputs);
    assert.notEqual(certificate.fingerprint256, old.fingerprint256);
    assert.equal(distrusted, undefined);
    assert.equal((await checkout.outputs()).caCertificate, outputs.caCertificate);
    const client = new RegistryClient(outputs.url, outputs.caCertificate, outputs.passwords);
    assert.equal((await client.ask("GET", "/v2/", { as: "admin" })).status, 200);
    client.close();
  });
});
