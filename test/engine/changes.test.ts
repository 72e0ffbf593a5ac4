import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { basicAuthorization, digestOf, emptyConfig, manifestOf, RegistryClient } from "../../cli/client.ts";
import { issue } from "../support/certificates.ts";
import { Checkout } from "../support/checkout.ts";
import { Poll } from "../support/poll.ts";
import { docker, succeed } from "../support/run.ts";
import { Transfers } from "../support/transfers.ts";

const megabytes = 400;
/** Bytes per second, slow enough for an `up` to begin and end meanwhile. */
const slowly = "6M";

describe("a change of a running stack", function () {
  this.timeout(10 * 60_000);

  let checkout: Checkout;
  let url: string;
  /** The authorities before and after. */
  let authorities: string;
  let passwords: Record<string, string>;
  let transfers: Transfers;
  const authority = issue({ commonName: "Another authority" });
  const certificate = issue({ commonName: "localhost", names: "DNS:localhost", issuer: authority });

  before(async () => {
    checkout = new Checkout();
    await checkout.configure({ users: [{ name: "admin", role: "admin" }, { name: "bob" }, { name: "carol" }] });
    const outputs = await checkout.bringUp();
    ({ url, passwords } = outputs);
    authorities = outputs.caCertificate + authority.certificate;
    transfers = new Transfers({ ...outputs, caCertificate: authorities });
    await transfers.prepare(megabytes);
    await transfers.push("pulled");
  });

  after(async () => {
    await checkout.dispose();
    transfers.dispose();
  });

  function clientOf(known = passwords): RegistryClient {
    return new RegistryClient(url, authorities, known);
  }

  async function asking<T>(known: Record<string, string>, ask: (client: RegistryClient) => Promise<T>): Promise<T> {
    const client = clientOf(known);
    return ask(client).finally(() => client.close());
  }

  function statusOf(as: string, password = passwords[as] ?? ""): Promise<number> {
    return asking({ [as]: password }, async (client) => (await client.ask("GET", "/v2/", { as })).status);
  }

  /** Two polls, one with keep-alive and one without, while something runs. */
  async function polled(work: () => Promise<void>): Promise<void> {
    const authorization = basicAuthorization("admin", passwords["admin"] ?? "");
    const polls = [{ keepAlive: true, maxSockets: 1 }, { keepAlive: false }].map(
      (options) => new Poll(`${url}/v2/`, authorization, { ca: authorities, ...options }),
    );
    try {
      await work();
    } finally {
      await Promise.all(polls.map((poll) => poll.stop()));
    }
    for (const poll of polls) {
      assert.deepEqual(poll.failures, []);
      assert.ok(poll.answered > 20, `only ${String(poll.answered)} were asked`);
    }
  }

  function containerIds(): Promise<string> {
    return docker("ps", "--no-trunc", "--quiet", "--filter", `name=${checkout.name}-`);
  }

  async function showIssuer(): Promise<string> {
    const { host } = new URL(url);
    const script = 'openssl s_client -connect "$1" </dev/null 2>/dev/null | openssl x509 -noout -issuer';
    return succeed("bash", ["-c", script, "-", host]);
  }

  it("cuts no transfer and fails no request: another user's password, the certificate and a limit", async () => {
    const before = await containerIds();
    const old = passwords["bob"] ?? "";
    assert.equal(await statusOf("bob"), 200);
    await polled(async () => {
      const both = Promise.all([transfers.pull("pulled", slowly), transfers.push("pushed", slowly)]);
      both.catch(() => undefined);

      checkout.set({
        maxUploadSize: "1m",
        certificate: { mode: "provided", bundle: certificate.certificate + authority.certificate },
      });
      await checkout.setSecret("certificate.key", certificate.key);
      await checkout.setSecret("users[1].password", "another password");
      const { code, output } = await checkout.pulumi("up", "--yes", "--skip-preview");
      assert.equal(code, 0, output);
      assert.equal(transfers.running, 2, "a transfer had ended before the change did");

      // The change applies while they still run.
      assert.equal(await statusOf("bob", old), 401);
      assert.equal(await statusOf("bob", "another password"), 200);
      assert.match(await showIssuer(), /Another authority/);
      const refused = await asking(passwords, (client) =>
        client.pushBlob("admin", "big", Buffer.alloc(1024 * 1024 + 1)),
      );
      assert.deepEqual([refused.status, refused.body.toString().includes('"SIZE_INVALID"')], [413, true]);
      const taken = await asking(passwords, (client) => client.pushBlob("admin", "big", Buffer.alloc(1024 * 1024)));
      assert.equal(taken.status, 201);
      await both;
    });
    assert.equal(await containerIds(), before);
    await transfers.pull("pushed");
  });

  it("is refused, with a reason, if nginx would accept the new configuration only after a restart", async () => {
    const template = join(checkout.folder, "components/proxy/nginx/signIn.ts");
    const good = readFileSync(template, "utf8");
    const bad = good.replace("limit_req_zone $guesser ", "limit_req_zone $guess ");
    assert.notEqual(bad, good);
    checkout.set({ maxUploadSize: "2m" });
    await polled(async () => {
      writeFileSync(template, bad);
      const refused = await checkout.pulumi("up", "--yes", "--skip-preview");
      assert.notEqual(refused.code, 0);
      assert.match(
        refused.output,
        /limit_req "guesser" uses the "\$guess" key while previously it used the "\$guesser"/,
      );
      assert.match(refused.output, /did not take it up; what was served before goes on being served/);
      const { status } = await asking(passwords, (client) => client.pushBlob("admin", "big", Buffer.alloc(2 ** 21)));
      assert.equal(status, 413);

      writeFileSync(template, good);
      const mended = await checkout.pulumi("up", "--yes", "--skip-preview");
      assert.equal(mended.code, 0, mended.output);
      const again = await asking(passwords, (client) => client.pushBlob("admin", "big", Buffer.alloc(2 ** 21)));
      assert.equal(again.status, 201);
    });
  });

  it("removes a role and a user at once, and leaves the others signed in", async () => {
    const layer = Buffer.from("layer");
    await asking({ ...passwords, bob: "another password" }, async (client) => {
      assert.equal((await client.pushBlob("bob", "app", layer)).status, 201);
      assert.equal((await client.pushBlob("bob", "app", emptyConfig)).status, 201);
      assert.equal((await client.pushManifest("bob", "app", "1", manifestOf(layer))).status, 201);
      assert.equal((await client.ask("GET", "/v2/", { as: "carol" })).status, 200);

      // A new password for carol would be another sign-in: she is removed, bob stays with his.
      const users = [
        { name: "admin", role: "admin" },
        { name: "bob", role: "reader", password: "another password" },
      ];
      checkout.set({ users });
      const { code, output } = await checkout.pulumi("up", "--yes", "--skip-preview");
      assert.equal(code, 0, output);

      assert.equal((await client.ask("GET", "/v2/", { as: "carol" })).status, 401);
      assert.equal((await client.ask("GET", `/v2/app/blobs/${digestOf(layer)}`, { as: "bob" })).status, 200);
      assert.equal((await client.pushBlob("bob", "app", layer)).status, 403);
    });
  });
});
