import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { issue } from "../support/certificates.ts";
import { Checkout } from "../support/checkout.ts";
import { docker, succeed } from "../support/run.ts";

/** The article's registry: a purchased wildcard certificate, an own name, a folder of the host for the data. */
describe("a registry with a provided certificate and a folder for its data", function () {
  this.timeout(5 * 60_000);

  const hostname = "registrydev1.yourdomain.test";
  const folder = mkdtempSync(join(tmpdir(), "article-"));
  const data = join(folder, "data");
  let checkout: Checkout;

  before(async () => {
    const root = issue({ commonName: "Root" });
    const intermediate = issue({ commonName: "Intermediate", issuer: root });
    const server = issue({ commonName: "*.yourdomain.test", names: "DNS:*.yourdomain.test", issuer: intermediate });
    const bundleFile = join(folder, "docker-registry.crt");
    const keyFile = join(folder, "docker-registry.key");
    writeFileSync(bundleFile, server.certificate + intermediate.certificate + root.certificate);
    writeFileSync(keyFile, server.key);
    checkout = new Checkout();
    await checkout.configure({ hostname, dataPath: data, certificate: { mode: "provided", bundleFile, keyFile } });
  });

  after(async () => {
    await checkout.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  it("serves the certificate under its name, and keeps the images in the folder", async () => {
    const up = await checkout.pulumi("up", "--yes", "--skip-preview");
    assert.equal(up.code, 0, up.output);
    const { url, endpoint, passwords, caCertificate } = await checkout.outputs();
    assert.match(endpoint, new RegExp(`^${hostname}:\\d+$`));

    writeFileSync(join(folder, "ca.pem"), caCertificate);
    const curl = ["-sS", "--config", "-", "--resolve", `${endpoint}:127.0.0.1`, "--cacert", join(folder, "ca.pem")];
    const input = `user = "admin:${passwords["admin"] ?? ""}"\n`;
    assert.match(await succeed("curl", [...curl, "-I", `${url}/v2/`], { input }), /^HTTP\/1\.1 200 /);
    const upload = await succeed("curl", [...curl, "-I", "-X", "POST", `${url}/v2/app/blobs/uploads/`], { input });
    assert.match(upload, /^HTTP\/1\.1 202 /);
    assert.ok(upload.includes(`Location: ${url}/v2/app/blobs/uploads/`), upload);
    assert.ok(existsSync(join(data, "docker/registry/v2/repositories/app")));
  });

  it("keeps the folder when it is purged", async () => {
    const output = await checkout.makes("purge");
    assert.match(output, new RegExp(`Kept: the folder ${data}`));
    assert.deepEqual(await checkout.remains(), []);
    assert.deepEqual(readdirSync(data), ["docker"]);
    assert.equal(await docker("volume", "ls", "--quiet", "--filter", `name=${checkout.name}`), "");
  });
});
