import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readBundle } from "../../../components/certificate/bundle.ts";
import { parseSettings } from "../../../settings/index.ts";
import { bundles } from "../../support/bundles.ts";
import { issue, type Issued } from "../../support/certificates.ts";
import { cases } from "../../support/chains.ts";
import { defaults } from "../../support/settings.ts";

const hostname = "registry.example.com";
const problemsOf = (bundle: string, key: string) => readBundle({ bundle, key }, hostname, new Date()).problems;
const bundleOf = (chain: readonly Issued[]) => chain.map(({ certificate }) => certificate).join("");

describe("a certificate that is provided", function () {
  this.timeout(60_000);

  for (const [what, { chain, wrong }] of Object.entries(cases)) {
    it(`${wrong ? "is refused" : "is accepted"} with ${what}`, () => {
      const made = chain();
      const problems = problemsOf(bundleOf(made), made[0]?.key ?? "");
      if (wrong === undefined) {
        assert.deepEqual(problems, []);
        return;
      }
      assert.equal(problems.length, 1, JSON.stringify(problems));
      assert.match(problems[0]?.wrong ?? "", wrong);
    });
  }

  it("is refused with an RSA key that is too long for Go", () => {
    const modulus = Buffer.concat([Buffer.from([0xff]), randomBytes(1024)]);
    modulus[1024] = 0xff;
    const jwk = { kty: "RSA", n: modulus.toString("base64url"), e: "AQAB" };
    const long = createPublicKey({ key: jwk, format: "jwk" }).export({ type: "spki", format: "pem" }).toString();
    const folder = mkdtempSync(join(tmpdir(), "long-"));
    try {
      const root = issue({ commonName: "Root" });
      const server = issue({ commonName: "server", names: `DNS:${hostname}`, issuer: root });
      for (const [file, text] of Object.entries({ ca: root.certificate, "ca.key": root.key, key: server.key, long }))
        writeFileSync(join(folder, file), text);
      const openssl = (command: string, input = "") =>
        execFileSync("openssl", command.split(" "), { cwd: folder, encoding: "utf8", input, stdio: "pipe" });
      const request = openssl("req -new -key key -subj /CN=server");
      const certificate = openssl("x509 -req -force_pubkey long -CA ca -CAkey ca.key", request);
      const problems = problemsOf(certificate + root.certificate, server.key);
      assert.match(
        problems.find(({ about }) => about === "bundle")?.wrong ?? "",
        /has a key that is RSA of 8200 bits, not/,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("is refused with every reason in one sentence", () => {
    const root = issue({ commonName: "Root" });
    const extensions = { extendedKeyUsage: "clientAuth", keyUsage: "keyAgreement" };
    const server = issue({ commonName: "server", names: `DNS:${hostname}`, issuer: root, digest: "sha1", extensions });
    assert.deepEqual(problemsOf(bundleOf([server, root]), server.key), [
      {
        about: "bundle",
        wrong:
          "would be refused by clients: server is signed with SHA-1, not with SHA-256, SHA-384, SHA-512 or Ed25519, " +
          "and server is not for servers: its extendedKeyUsage lacks serverAuth, " +
          "and server may not be used by a server: its keyUsage lacks digitalSignature",
      },
    ]);
  });

  describe("in a bundle as people have it", () => {
    for (const [what, { bundle, key, passphrase, wrong }] of Object.entries(bundles))
      it(`${wrong ? "is refused" : "is accepted"}: ${what}`, () => {
        const read = readBundle({ bundle: bundle(), key: key(), passphrase }, hostname, new Date());
        const found = read.problems.map((problem) => `${problem.about} ${problem.wrong}`);
        if (wrong !== undefined) {
          assert.equal(found.length, 1, found.join("\n"));
          assert.match(found[0] ?? "", wrong);
          return;
        }
        assert.deepEqual(found, []);
        const chain = read.chain.match(/-----BEGIN[^]*?END CERTIFICATE-----/g) ?? [];
        const certificates = chain.map((pem) => new X509Certificate(pem));
        assert.ok(certificates[0]?.checkPrivateKey(createPrivateKey(read.key)));
        for (const [i, certificate] of certificates.entries())
          assert.ok(i === 0 || certificates[i - 1]?.checkIssued(certificate));
        assert.match(read.key, /^-----BEGIN PRIVATE KEY-----\n/);
      });
  });

  it("is never said to have a cipher that is not supported because of its passphrase", () => {
    const bundle = bundleOf(cases["a usual chain"]?.chain() ?? []);
    const encrypted = { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "correct-horse" } as const;
    const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export(encrypted).toString();
    const codeOf = (passphrase: string) => {
      try {
        createPrivateKey({ key, passphrase });
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      }
    };
    // One wrong passphrase in 256 decrypts the key to what ends as a key would.
    let tries = 0;
    while (codeOf(`battery-staple-${String(tries)}`) === "ERR_OSSL_BAD_DECRYPT") tries++;
    const { problems } = readBundle(
      { bundle, key, passphrase: `battery-staple-${String(tries)}` },
      hostname,
      new Date(),
    );
    assert.deepEqual(problems, [{ about: "passphrase", wrong: "does not open the key" }]);
  });

  function parseWith(certificate: object, home = "/nowhere") {
    const raw = { ...defaults, hostname, certificate: JSON.stringify({ mode: "provided", ...certificate }) };
    return parseSettings(raw, { env: {}, home, now: new Date() });
  }

  it("is refused if the key is also in the bundle, which is no secret", () => {
    const made = cases["a usual chain"]?.chain() ?? [];
    const key = made[0]?.key ?? "";
    const { problems } = parseWith({ bundle: bundleOf(made) + key, key });
    assert.deepEqual(
      problems.map(({ setting, wrong }) => `${setting} ${wrong}`),
      ["certificate.bundle holds a private key, which belongs in keyFile only"],
    );
  });

  it("gets a warning if it is valid for longer than macOS accepts", () => {
    for (const [days, expected] of [
      [400, []],
      [500, ["is valid for more than 825 days, which macOS refuses"]],
    ] as const) {
      const made = issue({ commonName: "server", names: `DNS:${hostname}`, days });
      const { problems, warnings } = parseWith({ bundle: made.certificate, key: made.key });
      assert.deepEqual([problems, warnings.map(({ wrong }) => wrong)], [[], expected]);
    }
  });

  it("gets a warning if it runs out within 30 days, whichever certificate of the chain does so", () => {
    const root = issue({ commonName: "Root", days: 400 });
    for (const [days, issuerDays, warned] of [
      [40, 400, false],
      [29, 400, true],
      [40, 5, true],
    ] as const) {
      const issuer = issue({ commonName: "Issuer", issuer: root, days: issuerDays });
      const made = issue({ commonName: "server", names: `DNS:${hostname}`, issuer, days });
      const { problems, warnings } = parseWith({ bundle: bundleOf([made, issuer, root]), key: made.key });
      assert.deepEqual([problems, warnings.length], [[], warned ? 1 : 0]);
      if (warned) assert.match(warnings[0]?.wrong ?? "", /^runs out in (28|4) days, on \d{4}-\d\d-\d\d$/);
    }
  });

  it("gets a warning if only browsers refuse its key", () => {
    for (const [what, warned] of Object.entries({
      "a usual chain": false,
      "a P-521 key": true,
      "an Ed25519 key": true,
    })) {
      const made = cases[what]?.chain() ?? [];
      const { problems, warnings } = parseWith({ bundle: bundleOf(made), key: made[0]?.key });
      assert.deepEqual([problems, warnings.map(({ setting }) => setting)], [[], warned ? ["certificate.bundle"] : []]);
    }
  });

  it("is read from the user's home folder, written as in shells", () => {
    const home = mkdtempSync(join(tmpdir(), "home-"));
    try {
      mkdirSync(join(home, "$& ssl"));
      const made = cases["a usual chain"]?.chain() ?? [];
      writeFileSync(join(home, "$& ssl", "a.crt"), bundleOf(made));
      writeFileSync(join(home, "a.key"), made[0]?.key ?? "");
      const { settings, problems } = parseWith({ bundleFile: "~/$& ssl/a.crt", keyFile: "~/a.key" }, home);
      assert.deepEqual(problems, []);
      assert.equal(settings.certificate?.mode === "provided" && settings.certificate.bundle, bundleOf(made));
      for (const bundleFile of ["~a.crt", "~nobody/a.crt", "./~/a.crt"])
        assert.match(
          parseWith({ bundleFile, keyFile: "~/a.key" }, home).problems[0]?.wrong ?? "",
          /can't be read: ENOENT/,
        );
    } finally {
      rmSync(home, { recursive: true });
    }
  });

  it("has its key quoted in no problem, wherever the key is", () => {
    const key = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const secret = key.split("\n")[1] ?? "";
    for (const places of [
      ["bundle", "key"],
      ["bundleFile", "keyFile"],
      ["bundleFile", "key"],
      ["bundle", "keyFile"],
    ]) {
      const { problems } = parseWith(Object.fromEntries(places.map((place) => [place, key])));
      assert.ok(problems.length > 0);
      assert.ok(!JSON.stringify(problems).includes(secret), JSON.stringify(problems));
    }
  });

  it("loads no library in a run without one", () => {
    const program = `
      import { readFileSync } from "node:fs";
      import { createRequire } from "node:module";
      import { readBundle } from "./components/certificate/bundle.ts";
      const { cache } = createRequire(import.meta.url);
      const isLoaded = () => Object.keys(cache).some((file) => file.includes("/pkijs/"));
      const before = isLoaded();
      readBundle({ bundle: readFileSync(0, "utf8"), key: "" }, undefined, new Date());
      console.log(before, isLoaded());`;
    const bundle = bundleOf(cases["a usual chain"]?.chain() ?? []);
    const loaded = execFileSync(process.execPath, ["--input-type=module", "-e", program], {
      input: bundle,
      encoding: "utf8",
    });
    assert.equal(loaded, "false true\n");
  });
});
