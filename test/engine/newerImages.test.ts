import assert from "node:assert/strict";
import { createHash, sign, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { emptyConfig, manifestOf, RegistryClient } from "../../cli/client.ts";
import type { Finding } from "../../cli/status/finding.ts";
import { images } from "../../settings/images.ts";
import { issue } from "../support/certificates.ts";
import { Checkout, freePort } from "../support/checkout.ts";
import { docker } from "../support/run.ts";

const service = "registry.test";

/** A real registry that, like Docker Hub, gives out tokens to anybody at another address and lists tags by pages. */
describe("make newer-images", function () {
  this.timeout(3 * 60_000);

  const folder = mkdtempSync(join(tmpdir(), "newer-"));
  const authority = issue({ commonName: "Newer authority", days: 30 });
  const server = issue({ commonName: "localhost", names: "DNS:localhost", issuer: authority });
  const issuer = issue({ commonName: "Tokens", days: 30 });
  const asked: string[] = [];
  const containers: string[] = [];
  let checkout: Checkout;
  let tokens: Server;
  let open: number;
  let closed: number;

  before(async () => {
    for (const [file, text] of Object.entries({
      "authority.crt": authority.certificate,
      "server.crt": server.certificate,
      "server.key": server.key,
      "tokens.crt": issuer.certificate,
    }))
      writeFileSync(join(folder, file), text);
    mkdirSync(join(folder, "data"));
    tokens = createServer({ cert: server.certificate, key: server.key }, (request, response) => {
      const url = new URL(request.url ?? "", "https://localhost");
      asked.push(url.search);
      response.end(JSON.stringify({ token: tokenFor(url.searchParams) }));
    }).listen(0);
    await once(tokens, "listening");
    const { port } = tokens.address() as { port: number };
    open = await serve({});
    closed = await serve({
      auth: {
        token: {
          realm: `https://localhost:${String(port)}/token`,
          ...{ service, issuer: "tests", rootcertbundle: "/given/tokens.crt" },
        },
      },
    });
    checkout = new Checkout();
    await checkout.configure();
  });
  after(async () => {
    await docker("rm", "--force", "--volumes", ...containers);
    tokens.close();
    await checkout.dispose();
    rmSync(folder, { recursive: true });
  });

  /** Starts a registry. All have the same data. Returns its port. */
  async function serve(more: object): Promise<number> {
    const port = await freePort();
    const file = `${String(port)}.yml`;
    writeFileSync(
      join(folder, file),
      JSON.stringify({
        version: 0.1,
        storage: { filesystem: { rootdirectory: "/given/data" } },
        http: { addr: ":5000", tls: { certificate: "/given/server.crt", key: "/given/server.key" } },
        ...more,
      }),
    );
    const published = ["--publish", `127.0.0.1:${String(port)}:5000`, "--volume", `${folder}:/given`];
    const name = `${service}-${String(port)}`;
    containers.push(name);
    await docker("run", "--detach", "--name", name, ...published, images.registry.reference, `/given/${file}`);
    const client = clientOf(port);
    for (let tries = 0; tries < 60; tries++) {
      if (
        await client.ask("GET", "/v2/").then(
          ({ status }) => status === 200 || status === 401,
          () => false,
        )
      )
        break;
      await sleep(500);
    }
    client.close();
    return port;
  }

  const clientOf = (port: number) => new RegistryClient(`https://localhost:${String(port)}`, authority.certificate, {});

  /** A token for what is asked for, as the specification of Docker's registry has it. */
  function tokenFor(search: URLSearchParams): string {
    const [type, name, actions = ""] = (search.get("scope") ?? "").split(":");
    const now = Math.floor(Date.now() / 1000);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const head = { typ: "JWT", alg: "ES256", x5c: [new X509Certificate(issuer.certificate).raw.toString("base64")] };
    const claims = {
      ...{ iss: "tests", sub: "", aud: search.get("service"), exp: now + 60, nbf: now - 60, iat: now },
      jti: createHash("sha256").update(search.toString()).digest("hex"),
      access: [{ type, name, actions: actions.split(",") }],
    };
    const text = `${part(head)}.${part(claims)}`;
    return `${text}.${sign("sha256", Buffer.from(text), { key: issuer.key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  }

  async function push(repository: string, ...tags: readonly string[]): Promise<void> {
    const client = clientOf(open);
    const layer = Buffer.from("newer");
    for (const blob of [layer, emptyConfig]) assert.equal((await client.pushBlob("", repository, blob)).status, 201);
    const waiting = [...tags];
    const pushAll = async () => {
      for (let tag = waiting.pop(); tag !== undefined; tag = waiting.pop())
        assert.equal((await client.pushManifest("", repository, tag, manifestOf(layer))).status, 201);
    };
    await Promise.all(Array.from({ length: 20 }, pushAll));
    client.close();
  }

  const newer = async (registryImage: string, proxyImage: string, ...more: readonly string[]) => {
    checkout.set({ registryImage, proxyImage });
    return checkout.run("node", ["cli/main.ts", "newer-images", checkout.stack, ...more], {
      env: { NODE_EXTRA_CA_CERTS: join(folder, "authority.crt") },
    });
  };

  it("names newer tags of the same line, of all pages, with a token that anybody gets", async () => {
    // The registry lists a thousand at once, by name.
    const before = Array.from({ length: 1000 }, (_, i) => `0.0.${String(i)}`);
    await push(
      "library/registry",
      ...before,
      "3.1.2",
      "3.1.3",
      "3.1.4",
      "3.1.5-rc.1",
      "3.2.0",
      "latest",
      "3.1",
      "2.8.3",
      "4.0.0",
    );
    const image = `localhost:${String(closed)}/library/registry:3.1.2`;
    const { code, stdout, output } = await newer(image, `localhost:${String(open)}/library/registry:3.2.0`);
    assert.equal(code, 0, output);
    assert.ok(stdout.includes(`· ${image}  3.1.2 → 3.1.4; a later line has 3.2.0\n`), stdout);
    assert.ok(stdout.includes(`✓ localhost:${String(open)}/library/registry:3.2.0  the newest of its line\n`), stdout);
    assert.deepEqual(asked, [`?service=${service}&scope=repository%3Alibrary%2Fregistry%3Apull`]);
  });

  it("says that a registry can't be asked, and goes on", async () => {
    await push("proxy", "1.30.6-alpine", "1.30.7-alpine");
    const image = `localhost:${String(open)}/proxy:1.30.6-alpine`;
    const { code, stdout, output } = await newer("localhost:1/registry:3.1.2", image, "--json");
    assert.equal(code, 0, output);
    const { stack, images } = JSON.parse(stdout) as { stack: string; images: Finding[] };
    assert.equal(stack, checkout.stack);
    assert.match(images[0]?.what ?? "", /^localhost:1 can't be asked: .*ECONNREFUSED/);
    assert.deepEqual(
      images.map(({ is, facts }) => [is, facts?.["ofLine"]]),
      [
        ["unknown", undefined],
        ["note", "1.30.7-alpine"],
      ],
    );
  });

  it("says that there is no such image", async () => {
    const at = (port: number) => `localhost:${String(port)}/nothing:1.0`;
    const { code, stdout } = await newer(at(open), at(closed));
    assert.equal(code, 0);
    assert.equal(stdout.match(/can't be asked: it answers 404/g)?.length, 2, stdout);
  });
});
