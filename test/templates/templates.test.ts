import assert from "node:assert/strict";

import fc from "fast-check";
import { parse } from "yaml";

import { renderNginxConf } from "../../components/templates/nginxConf";
import { renderRegistryConfig } from "../../components/templates/registryConfig";

describe("the registry's configuration", () => {
  const render = (httpSecret = "s3cret") =>
    parse(renderRegistryConfig({ port: 5000, rootDirectory: "/data", deletion: false, httpSecret })) as Record<
      string,
      unknown
    >;

  it("leaves nothing to the image's defaults, which are made for development", () => {
    assert.deepEqual(render(), {
      version: 0.1,
      log: { level: "warn", formatter: "json", accesslog: { disabled: true } },
      storage: {
        filesystem: { rootdirectory: "/data" },
        delete: { enabled: false },
        cache: { blobdescriptor: "inmemory" },
        maintenance: { uploadpurging: { enabled: true, age: "168h", interval: "24h", dryrun: false } },
      },
      http: { addr: ":5000", secret: "s3cret", headers: { "X-Content-Type-Options": ["nosniff"] } },
      health: { storagedriver: { enabled: true, interval: "10s", threshold: 3 } },
    });
  });

  it("carries any secret as it is", () => {
    fc.assert(
      fc.property(fc.string(), (secret) => {
        assert.equal((render(secret)["http"] as { secret: string }).secret, secret);
      }),
    );
  });
});

describe("the proxy's configuration", () => {
  const conf = renderNginxConf({
    serverName: "registry.example",
    port: 8443,
    statusPort: 8081,
    registry: "stack-registry:5000",
    users: [],
    passwordGenerations: {},
    rules: [],
    anonymousPrefixes: [],
    guessesPerMinute: 30,
    generation: "0123456789abcdef",
  });

  it("speaks TLS 1.2 and 1.3 only", () => {
    assert.match(conf, /ssl_protocols TLSv1\.2 TLSv1\.3;/);
  });

  it("streams what passes through, of any size", () => {
    for (const line of ["client_max_body_size 0;", "proxy_request_buffering off;", "proxy_buffering off;"]) {
      assert.ok(conf.includes(line), line);
    }
  });

  it("has no credential reach the registry", () => {
    assert.match(conf, /proxy_set_header Authorization "";/);
  });

  it("opens the status to the container itself only", () => {
    assert.deepEqual(conf.match(/listen .*;/g), [
      "listen unix:/tmp/passwords.sock;",
      "listen 127.0.0.1:8081;",
      "listen 8443 ssl;",
    ]);
  });
});
