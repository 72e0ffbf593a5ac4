import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";

import { basicAuthorization } from "../../cli/client.ts";
import { namesOf } from "../../components/certificate/chain.ts";
import type { Outputs } from "../../components/outputs.ts";
import { Checkout, freePort } from "../support/checkout.ts";
import { itInTestLong } from "../support/matrix.ts";
import { Authority } from "../support/pebble.ts";
import { Poll } from "../support/poll.ts";
import { succeed } from "../support/run.ts";
import { Transfers } from "../support/transfers.ts";

const hostname = "registry.example.test";
const other = "registry.example.org";

/** A domain that the authority doesn't sign for. */
const forbidden = "forbidden.test";

/** How long the authority's certificates are valid, in seconds. They are renewed at half of it. */
const life = 120;

const eab = { kid: "the-account", hmac: "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA" };

describe("a certificate that an authority issues", function () {
  this.timeout(10 * 60_000);

  let authority: Authority;
  let checkout: Checkout;
  let outputs: Outputs;
  let hosts: string;
  let httpPort: number;

  before(async function () {
    if (process.getuid?.() !== 0) return this.skip(); // for an /etc/hosts of its own
    // Containers reach this machine at Docker's bridge.
    const bridge = await succeed("ip", ["-4", "-brief", "address", "show", "docker0"]);
    const listen = /\d+\.\d+\.\d+\.\d+/.exec(bridge)?.[0] ?? "";
    httpPort = await freePort();
    authority = await Authority.start({
      ...{ httpPort, listen, eab },
      profiles: { brief: life },
      refuses: [forbidden],
    });
    hosts = mkdtempSync(join(tmpdir(), "hosts-"));
    writeFileSync(join(hosts, "hosts"), `127.0.0.1 localhost ${hostname} ${other}\n`);
    const own = ["unshare", "--mount", "sh", "-euc", 'mount --bind "$1" /etc/hosts; shift; exec "$@"', "-"];
    checkout = new Checkout({}, [...own, join(hosts, "hosts")]);
    await checkout.configure({ hostname });
    await setCertificate();
  });

  after(async () => {
    await checkout.dispose();
    await authority.dispose();
    rmSync(hosts, { recursive: true });
  });

  /** Sets the certificate. The authority's API has another root than the certificates that it issues. */
  async function setCertificate(changed: object = {}): Promise<void> {
    const certificate = {
      ...{ mode: "acme", server: authority.directory, email: "ops@example.test", eab: { kid: eab.kid } },
      ...{ httpPort, names: [other] },
      authority: `${await authority.root()}${authority.tlsRoot}`,
      ...changed,
    };
    checkout.set({ certificate });
    await checkout.setSecret("certificate.eab.hmac", eab.hmac);
  }

  /** What the proxy shows at a handshake. */
  function shown(): Promise<X509Certificate> {
    return new Promise((resolve, reject) => {
      const { port } = new URL(outputs.url);
      const options = { host: "127.0.0.1", port: Number(port), servername: hostname, rejectUnauthorized: false };
      const socket = connect(options, () => {
        resolve(new X509Certificate(socket.getPeerCertificate().raw));
        socket.destroy();
      });
      socket.on("error", reject);
    });
  }

  const until = async (seconds: number, condition: () => Promise<boolean>) => {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(500)) if (await condition()) return;
    assert.fail(`not within ${String(seconds)} seconds`);
  };

  it("is waited for by `make up`, which says why there is none yet; a placeholder is served meanwhile", async () => {
    await authority.names.setFailing(hostname);
    let placeholder: Promise<X509Certificate> | undefined;
    const { code, output } = await checkout.makeUntil("up", /The authority has issued none yet: .*\n/, () => {
      placeholder = checkout.outputs().then(async (now) => {
        outputs = now;
        const certificate = await shown();
        await authority.names.clearFailing(hostname);
        await checkout.makes("renew");
        return certificate;
      });
    });
    assert.match(
      output,
      /The authority has issued none yet: .*urn:ietf:params:acme:error:connection :: .*could not resolve URL/,
    );
    assert.equal((await placeholder)?.subject, "CN=no certificate was issued yet");
    assert.equal(code, 0, output);
    assert.match(output, /✓ TLS/);
    assert.equal(
      new X509Certificate(await authority.root()).subject,
      new X509Certificate(outputs.caCertificate).subject,
    );
  });

  it("is renewed without an `up`, with the same key, while transfers and new connections go on", async () => {
    const { url, caCertificate, passwords } = outputs;
    const transfers = new Transfers(outputs, "127.0.0.1");
    await transfers.prepare(300);
    await transfers.push("pulled");
    const poll = new Poll(
      `https://127.0.0.1:${new URL(url).port}/v2/`,
      basicAuthorization("admin", passwords["admin"] ?? ""),
      {
        ca: caCertificate,
        servername: hostname,
      },
    );
    const seen = new Map<string, string>();
    const see = async () => {
      const certificate = await shown();
      seen.set(certificate.fingerprint256, String(certificate.publicKey.export({ type: "spki", format: "pem" })));
      return seen.size > 2;
    };
    const under = [transfers.pull("pulled", "2500K"), transfers.push("pushed", "2500K")];
    try {
      await until(2 * life, see);
      await Promise.all(under);
    } finally {
      await poll.stop();
      transfers.dispose();
    }
    console.log(
      `      ${String(seen.size - 1)} renewals, ${String(poll.failures.length)} of ${String(poll.answered)} polls failed`,
    );
    assert.deepEqual(poll.failures, []);
    assert.ok(poll.answered >= 1000, `only ${String(poll.answered)} polls`);
    assert.equal(new Set(seen.values()).size, 1, "the key has changed");
    const status = await checkout.makes("status", { env: { QUICK: "1" } });
    assert.match(
      status,
      /✓ certificate +registry\.example\.(test|org), registry\.example\.(test|org); by .*; renewed by itself/,
    );
    assert.match(
      status,
      /[✓·] renewal +((a certificate was issued|it was not due) at .*; looks again at|a try has been under way since) /,
    );
    assert.match(status, /✓ lego +healthy[^]*✓ certifier|✓ certifier +healthy[^]*✓ lego/);
  });

  it("is answered for at a port where all else is led to the registry", async () => {
    const at = (path: string) => fetch(`http://127.0.0.1:${String(httpPort)}${path}`, { redirect: "manual" });
    const answer = await at("/v2/_catalog?n=1");
    assert.deepEqual([answer.status, answer.headers.get("location")], [301, `${outputs.url}/v2/_catalog?n=1`]);
    assert.equal((await at("/.well-known/acme-challenge/none")).status, 404);
    assert.equal((await at("/.well-known/acme-challenge/../../etc/passwd")).status, 301);

    // What lego writes there is served, but none of the proxy's own files that it could point at.
    const [lego = ""] = await checkout.containers("lego");
    const folder = "/challenges/.well-known/acme-challenge";
    const script = `mkdir -p ${folder}; echo answer >${folder}/file; ln -s /etc/proxy/current/nginx.conf ${folder}/link`;
    await checkout.docker(["exec", lego, "sh", "-c", script]);
    assert.equal(await (await at("/.well-known/acme-challenge/file")).text(), "answer\n");
    assert.equal((await at("/.well-known/acme-challenge/link")).status, 403);
    await checkout.docker(["exec", lego, "rm", "-r", "/challenges/.well-known"]);
  });

  it("leaves its secrets to their user: in files of mode 0600, in no log, environment or command line", async () => {
    const ids = [...(await checkout.containers("lego")), ...(await checkout.containers("certifier"))];
    assert.equal(ids.length, 2);
    const secrets = [eab.hmac, "PRIVATE KEY"];
    for (const id of ids) {
      const find = "find /acme /certificate /etc/acme -type f \\( ! -perm 600 -o ! -user 101 \\) 2>/dev/null || true";
      assert.equal(await checkout.docker(["exec", id, "sh", "-c", find]), "");
      const readable = await checkout.docker(["exec", id, "sh", "-c", "find /acme -name '*.key' -type f"]);
      assert.match(readable, /accounts.*\.key/);
      const known = `${await checkout.docker(["inspect", id])}${await checkout.docker(["logs", id])}`;
      for (const secret of secrets) assert.ok(!known.includes(secret), `${secret} is in an environment or log`);
    }
    const { stdout } = await checkout.pulumi("stack", "output", "--json");
    for (const secret of secrets) assert.ok(!stdout.includes(secret), `${secret} is in an output`);
  });

  itInTestLong(
    "stays while the authority doesn't answer; status, logs and health say why, and it is renewed afterwards",
    async () => {
      const [certifier = ""] = await checkout.containers("certifier");
      // In the middle of a try lego would ask for minutes.
      await until(life, async () =>
        /"result":"(kept|issued)"/.test(await checkout.docker(["exec", certifier, "cat", "/acme/outcome.json"])),
      );
      authority.pause();
      const before = await shown();
      try {
        await until(
          2 * life,
          async () =>
            (await checkout.docker(["inspect", "--format", "{{.State.Health.Status}}", certifier])) === "unhealthy",
        );
        const failed = /"result":"failed","why":".*(deadline|timeout)/i;
        await until(2 * life, async () => failed.test(await checkout.docker(["logs", "--tail", "3", certifier])));
        const { output } = await checkout.make("status", { env: { QUICK: "1" } });
        assert.match(output, /✗ certifier +unhealthy, .*the certificate ends on/);
        assert.match(output, /✗ renewal +.*(deadline|timeout).* Tried \d+ times?, the next time at/i);
        assert.equal((await shown()).fingerprint256, before.fingerprint256);
      } finally {
        authority.resume();
      }
      await until(life, async () => (await shown()).fingerprint256 !== before.fingerprint256);
    },
  );

  itInTestLong(
    "stays if the authority refuses more names; make up, make renew, status, logs and health say why, until it is asked for without them",
    async () => {
      const reason =
        /urn:ietf:params:acme:error:rejectedIdentifier :: .*forbidden by policy.*registry\.forbidden\.test/;
      await setCertificate({ names: [other, `registry.${forbidden}`] });
      let meanwhile: Promise<X509Certificate> | undefined;
      const { code, output } = await checkout.makeUntil("up", /The authority has issued none yet: /, () => {
        meanwhile = shown();
      });
      assert.equal(code, 2, "make's word for a command that failed");
      assert.match(output, /make: .* Error 1$/m);
      assert.match(output, reason);
      assert.match(output, /No certificate was issued for these settings/);
      const served = await meanwhile;
      assert.deepEqual(served && namesOf(served).sort(), [other, hostname]);

      const renewal = await checkout.make("renew");
      assert.notEqual(renewal.code, 0);
      assert.match(renewal.output, reason);
      const status = await checkout.make("status", { env: { QUICK: "1" } });
      assert.notEqual(status.code, 0);
      const lineOf = (about: string) => status.output.split("\n").find((line) => line.includes(` ${about} `)) ?? "";
      assert.match(lineOf("renewal"), reason);
      assert.match(lineOf("renewal"), /✗ renewal .* Tried \d+ times, the next time at .*make renew/);
      assert.match(lineOf("certifier"), reason);
      assert.match(lineOf("certifier"), /✗ certifier +unhealthy, .*no certificate was issued for these settings yet/);
      assert.match(await checkout.makes("logs"), reason);

      await setCertificate();
      assert.match(await checkout.makes("up"), /✓ TLS/);
      const isHealthy = async () =>
        /✓ certifier +healthy/.test((await checkout.make("status", { env: { QUICK: "1" } })).output);
      await until(60, isHealthy);
    },
  );

  itInTestLong("comes from another authority once `up` trusts it, also if that knows no account", async () => {
    await authority.stop();
    await authority.start();
    const [certifier = ""] = await checkout.containers("certifier");
    // It learns of that when the certificate is due, and then registers a new account.
    await until(2 * life, async () => {
      const logs = await checkout.docker(["logs", "--tail", "20", certifier]);
      return /accountDoesNotExist[^]*was not issued by the authority in certificate\.authority/.test(logs);
    });
    await setCertificate();
    assert.match(await checkout.makes("up"), /✓ TLS/);
  });

  itInTestLong(
    "is waited for if the authority is slow, which is asked once for each; until then one is served",
    async () => {
      await authority.stop();
      await authority.start({ slow: 30, profiles: { usual: 90 * 86_400 } });
      // It knows no account any more: for another address, one is registered at once.
      await setCertificate({ email: "others@example.test" });
      const asked = () => authority.log.match(/Added order/g)?.length ?? 0;
      const issued = () => authority.log.match(/Issued certificate/g)?.length ?? 0;

      /** What is served when the authority has been asked for one more certificate and has not issued it. */
      const servedMeanwhile = async (orders: number) => {
        await until(120, () => Promise.resolve(asked() === orders));
        const certificate = await shown();
        assert.equal(issued(), orders - 1, "it was not slow");
        return certificate.fingerprint256;
      };

      const before = await shown();
      const [bringsUp, meanwhile] = await Promise.all([checkout.make("up"), servedMeanwhile(1)]);
      assert.equal(meanwhile, before.fingerprint256);
      assert.equal(bringsUp.code, 0, bringsUp.output);
      assert.match(bringsUp.output, /Waiting up to 3 minutes[^]*✓ TLS/);
      assert.doesNotMatch(bringsUp.output, /has issued none yet/);
      const first = await shown();
      assert.notEqual(first.fingerprint256, before.fingerprint256);
      assert.equal(asked(), 1);

      await authority.suggestRenewal(first);
      const [renews, again, meanwhileToo] = await Promise.all([
        checkout.makes("renew"),
        // Somebody is impatient.
        servedMeanwhile(2).then(() => checkout.makes("renew")),
        servedMeanwhile(2),
      ]);
      assert.equal(meanwhileToo, first.fingerprint256);
      assert.match(renews, /The authority has issued a new certificate/);
      assert.match(again, /It is not due yet/);
      assert.notEqual((await shown()).fingerprint256, first.fingerprint256);
      assert.equal(asked(), 2);
    },
  );

  it("is kept with its account when the stack is taken down, and deleted by `make purge`", async () => {
    assert.match(await checkout.makes("destroy"), /Kept: volume \S+-acme-state with the certificate and the account/);
    assert.ok((await checkout.remains()).some((each) => each.includes("acme-state")));
    await checkout.makes("purge");
    assert.deepEqual(await checkout.remains(), []);
  });
});
