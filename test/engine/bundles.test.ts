import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type BundleCase, bundles } from "../support/bundles.ts";
import { Checkout } from "../support/checkout.ts";
import { itInTestLong } from "../support/matrix.ts";
import { run, succeed } from "../support/run.ts";

/** Those of `make test`; the others are read by the same code, which the quick layer tests with all of them. */
const short = [
  ...[
    "the root on top",
    "a key in SEC 1 after its curve",
    "an encrypted key with its passphrase",
    "an RSA key of 4096 bits",
  ],
  ...["an encrypted key with another passphrase", "a missing issuer"],
];

describe("a certificate that is provided", function () {
  this.timeout(2 * 60_000);

  const hostname = "registry.example.com";
  const folder = mkdtempSync(join(tmpdir(), "bundles-"));
  const [bundleFile, keyFile, caFile] = ["bundle.pem", "key.pem", "ca.pem"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  let checkout: Checkout;
  let endpoint: string;

  before(async () => {
    checkout = new Checkout();
    await checkout.configure({ hostname });
    give(bundles["the server first, then each issuer, then the root"]);
    ({ endpoint } = await checkout.bringUp());
  });

  after(async () => {
    await checkout.dispose();
    rmSync(folder, { recursive: true });
  });

  function give({ bundle, key, passphrase }: BundleCase = { bundle: () => "", key: () => "" }): void {
    writeFileSync(bundleFile, bundle());
    writeFileSync(keyFile, key(), { mode: 0o600 });
    checkout.set({ certificate: { mode: "provided", bundleFile, keyFile, ...(passphrase && { passphrase }) } });
  }

  /** The certificates that the proxy shows to openssl, which must find them to be in order and complete. */
  async function served(): Promise<string> {
    const port = endpoint.split(":")[1] ?? "";
    const options = ["-servername", hostname, "-showcerts", "-verify_return_error", "-CAfile", caFile];
    const shown = await succeed("openssl", ["s_client", "-connect", `127.0.0.1:${port}`, ...options]);
    assert.match(shown, /Verify return code: 0 \(ok\)/);
    return (shown.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? []).join("\n");
  }

  for (const [what, each] of Object.entries(bundles)) {
    const test = short.includes(what) ? it : itInTestLong;
    if (each.wrong === undefined) {
      test(`is served by the proxy: ${what}`, async () => {
        give(each);
        const { caCertificate } = await checkout.bringUp();
        writeFileSync(caFile, caCertificate);
        await served();
        const answer = await run("curl", [
          ...["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", caFile],
          ...["--resolve", `${endpoint}:127.0.0.1`, `https://${endpoint}/v2/`],
        ]);
        assert.equal(answer.stdout, "401", answer.output);
      });
    } else {
      const wrong = each.wrong.source.replace(/^\^\w+ /, "").replace(/\$$/, "");
      test(`changes nothing and is refused in one sentence: ${what}`, () => isRefused(() => give(each), wrong));
    }
  }

  it("changes nothing and is refused in one sentence: a folder in place of a file", () =>
    isRefused(() => {
      give(bundles["the root on top"]);
      rmSync(bundleFile);
      mkdirSync(bundleFile);
    }, "names a folder, not a file"));

  async function isRefused(give: () => void, wrong: string): Promise<void> {
    const before = await served();
    give();
    const { code, output } = await checkout.pulumi("up", "--yes", "--skip-preview");
    rmSync(bundleFile, { recursive: true });
    assert.notEqual(code, 0);
    assert.match(output, /1 problem in the settings of stack/);
    assert.match(output, new RegExp(wrong));
    assert.equal(await served(), before);
  }
});
