import assert from "node:assert/strict";

import fc from "fast-check";
import { parse } from "yaml";

import type { Role, Rule } from "../../../components/access.ts";
import { renderAccess } from "../../../components/proxy/nginx/access.ts";
import { renderMounted } from "../../../components/proxy/nginx/mounts.ts";
import { renderNginxConf } from "../../../components/proxy/nginx/nginxConf.ts";
import { renderRefusals } from "../../../components/proxy/nginx/refusals.ts";
import { resources } from "../../../components/proxy/nginx/registryApi.ts";
import { renderRoom } from "../../../components/proxy/nginx/room.ts";
import { renderRegistryConfig } from "../../../components/registry/config.ts";
import { accepted, anySettings } from "../../support/anySettings.ts";
import { plainConf } from "../../support/nginxConf.ts";
import { NginxMaps } from "../../support/nginxMaps.ts";
import { anyRequest, expectedRoute } from "../../support/requests.ts";

describe("the registry's configuration", () => {
  const render = (httpSecret = "s3cret") =>
    parse(
      renderRegistryConfig({
        port: 5000,
        storage: { filesystem: { rootdirectory: "/data" } },
        deletion: false,
        drainTimeout: 900,
        httpSecret,
      }),
    ) as Record<string, unknown>;

  it("leaves nothing to the image's defaults, which are for development", () => {
    assert.deepEqual(render(), {
      version: 0.1,
      log: { level: "warn", formatter: "json", accesslog: { disabled: true } },
      storage: {
        filesystem: { rootdirectory: "/data" },
        delete: { enabled: false },
        maintenance: { uploadpurging: { enabled: true, age: "168h", interval: "24h", dryrun: false } },
      },
      http: {
        addr: ":5000",
        secret: "s3cret",
        draintimeout: "900s",
        headers: { "X-Content-Type-Options": ["nosniff"], "X-Accel-Expires": ["@1"] },
      },
      health: { storagedriver: { enabled: true, interval: "10s", threshold: 3 } },
    });
  });

  it("keeps any secret unchanged", () => {
    fc.assert(
      fc.property(fc.string(), (secret) => {
        assert.equal((render(secret)["http"] as { secret: string }).secret, secret);
      }),
    );
  });
});

describe("the proxy's configuration", () => {
  const conf = renderNginxConf(plainConf);

  it("speaks TLS 1.2 and 1.3 only", () => {
    assert.match(conf, /ssl_protocols TLSv1\.2 TLSv1\.3;/);
  });

  it("streams what passes through, of any size", () => {
    for (const line of ["client_max_body_size 0;", "proxy_request_buffering off;", "proxy_buffering off;"]) {
      assert.ok(conf.includes(line), line);
    }
  });

  it("passes to the registry no credential, and no header that it doesn't read", () => {
    const towardsPasswords = "proxy_set_header Authorization $checked_authorization;";
    assert.match(conf, /^ {2}proxy_pass_request_headers off;$/m);
    assert.deepEqual(
      conf.match(/^.*proxy_set_header (Authorization|Cookie).*$/gm)?.map((line) => line.trim()),
      [towardsPasswords],
    );
  });

  it("keeps manifests for as long as their link and data are on the disk", () => {
    const location = /^ {4}location @manifest \{\n.*?^ {4}\}$/ms.exec(conf)?.[0] ?? "";
    for (const file of [
      "repositories/$repository/_manifests/revisions/sha256/$shard$hex/link",
      "blobs/sha256/$shard/$shard$hex/data",
    ]) {
      assert.ok(location.includes(`if (!-f $document_root/${file}) {\n        return 418;`), file);
    }
    assert.match(location, /proxy_cache_key "\$manifest_key \$shard\$hex";/);
    assert.deepEqual(location.match(/proxy_cache_valid .*;/g), ["proxy_cache_valid 200 12h;"]);
    // Its cached facts about files would be out of date.
    assert.doesNotMatch(location, /open_file_cache/);
  });

  it("says that a condemned blob isn't there before a conditional request goes to the registry", () => {
    const location = /^ {4}location @sought \{\n.*?^ {4}\}$/ms.exec(conf)?.[0] ?? "";
    const link = "/data/docker/registry/v2/repositories/$repository/_layers/sha256/$shard$hex/link";
    assert.ok(location.includes(`if (-x ${link}) {\n        return 404;\n      }\n      try_files /- @blob;`));
  });

  it("knows which blob is to be mounted, however its digest is spelled", () => {
    const maps = new NginxMaps(renderMounted());
    const hex = "0123456789abcdef".repeat(4);
    for (const [args, mounted] of [
      [`mount=sha256:${hex}&from=a`, `01/${hex}`],
      [`from=a%2Fb&mount=sha256%3A${hex}`, `01/${hex}`],
      [`from=a&mount=sha256%3a${hex}&origin=b`, `01/${hex}`],
      [`xmount=sha256:${hex}&from=a`, ""],
      [`mount=sha512:${hex}${hex}&from=a`, ""],
      [`mount=sha256:${hex.toUpperCase()}&from=a`, ""],
      ["from=a", ""],
    ] as const) {
      assert.equal(maps.lookUp("mounted", { args }), mounted, args);
    }
  });

  it("refuses a write without room only where nothing is lost by it: before a push begins, and at its end", () => {
    const maps = new NginxMaps(renderAccess(plainConf) + renderRoom({ dataFolder: "/data", isWatched: true }));
    const digest = `sha256:${"0".repeat(64)}`;
    const [full, stopped] = ["/data/keeper/full", "/data/keeper/stopped/3f-a_b"];
    for (const [request, file] of [
      ["POST team/app/blobs/uploads/", full],
      [`POST team/app/blobs/uploads/?digest=${digest}`, full],
      [`POST team/app/blobs/uploads/?mount=${digest}&from=a`, full],
      ["PUT team/app/manifests/1", full],
      [`PUT team/app/manifests/${digest}`, full],
      ["PATCH team/app/blobs/uploads/3f-a_b?_state=x", stopped],
      [`PUT team/app/blobs/uploads/3f-a_b?_state=x&digest=${digest}`, stopped],
      ["GET team/app/blobs/uploads/3f-a_b?_state=x", ""],
      ["DELETE team/app/blobs/uploads/3f-a_b?_state=x", ""],
      ["GET team/app/manifests/1", ""],
      ["HEAD team/app/manifests/1", ""],
      ["DELETE team/app/manifests/1", ""],
      [`GET team/app/blobs/${digest}`, ""],
      [`DELETE team/app/blobs/${digest}`, ""],
      ["GET team/app/tags/list", ""],
      ["GET _catalog", ""],
    ] as const) {
      const [method = "", path = ""] = request.split(" ");
      const given = { request_method: method, request_uri: `/v2/${path}` };
      assert.equal(maps.lookUp("refusing_file", given), file, request);
    }
    for (const route of ["@registry", "@upload", "@mount"]) {
      const location = new RegExp(
        `^ {4}location ${route} \\{\n {6}if \\(-f \\$refusing_file\\) \\{\n {8}return 403;`,
        "m",
      );
      assert.match(conf, location);
    }
  });

  it("says what is full and what helps, and not that the user may not push", () => {
    const maps = new NginxMaps(renderRefusals());
    const refusal = (route: string) => maps.lookUp("refusal", { status: "403", route });
    for (const route of ["@registry", "@upload", "@mount"]) {
      const { errors } = JSON.parse(refusal(route)) as { errors: { code: string; message: string }[] };
      assert.equal(errors[0]?.code, "DENIED");
      assert.match(
        errors[0].message,
        /^the disk of the registry is full: .*delete images and run make gc NOW=1 and make gc EMPTY=1, or grow/,
      );
    }
    assert.match(refusal("@denied"), /you may not/);
  });

  it("shows the status only inside the container", () => {
    assert.deepEqual(conf.match(/listen .*;/g), [
      "listen unix:/tmp/passwords.sock;",
      "listen 127.0.0.1:8081;",
      "listen 8443 ssl;",
    ]);
  });
});

describe("a request target", () => {
  const digits = "0123456789abcdef".repeat(4);
  const digest = `sha256:${digits}`;
  const filed = { shard: "01", hex: digits.slice(2) };

  /** The resources that match a target, each with the names in it. */
  const read = (target: string) =>
    resources.flatMap(({ name, target: pattern }) => {
      const match = new RegExp(`^(?:${pattern})$`).exec(target);
      const named = Object.entries(match?.groups ?? {}).filter(([, text]) => text as string | undefined);
      return match ? [{ is: name, ...Object.fromEntries(named) }] : [];
    });

  const a = { repository: "a" };
  for (const [target, is] of [
    ["/v2/", { is: "base" }],
    ["/v2/?n=1", { is: "base" }],
    ["/v2/_catalog", { is: "catalog" }],
    ["/v2/_catalog?n=100&last=a", { is: "catalog" }],
    ["/v2/a/tags/list", { is: "tags", ...a }],
    ["/v2/a/tags/list?n=1", { is: "tags", ...a }],
    ["/v2/tags/list/tags/list", { is: "tags", repository: "tags/list" }],
    [
      "/v2/a.b/c_d/e__f/g---h/0/manifests/latest",
      { is: "manifest", repository: "a.b/c_d/e__f/g---h/0", tag: "latest" },
    ],
    [`/v2/a/manifests/${digest}`, { is: "manifest", ...a, ...filed }],
    [`/v2/a/manifests/sha512:${digits}${digits}`, { is: "manifest", ...a }],
    [`/v2/a/blobs/${digest}`, { is: "blob", ...a, ...filed }],
    [`/v2/a/blobs/${digest}?ns=b`, { is: "blob", ...a, ...filed }],
    [`/v2/a/blobs/sha512:${digits}${digits}`, { is: "blob", ...a }],
    [`/v2/${"a".repeat(255)}/blobs/${digest}?x=/y/z`, { is: "blob", repository: "a".repeat(255), ...filed }],
    [`/v2/${"a".repeat(255)}/blobs/uploads/b`, { is: "upload", repository: "a".repeat(255), upload: "b" }],
    [`/v2/a/manifests/${"b".repeat(128)}`, { is: "manifest", ...a, tag: "b".repeat(128) }],
    ["/v2/a/blobs/uploads/", { is: "uploads", ...a }],
    ["/v2/a/blobs/uploads/?", { is: "uploads", ...a }],
    [`/v2/a/blobs/uploads/?digest=${digest}`, { is: "uploads", ...a }],
    [`/v2/a/blobs/uploads/?mount=${digest}`, { is: "uploads", ...a }],
    [`/v2/a/blobs/uploads/?from=b/c&mount=${digest}`, { is: "uploads", ...a, mount_from: "b/c" }],
    [`/v2/a/blobs/uploads/?mount=sha256%3A${digits}&from=b%2Fc`, { is: "uploads", ...a, mount_from: "b%2Fc" }],
    ["/v2/a/blobs/uploads/3f-_=.A?_state=x%2Fy", { is: "upload", ...a, upload: "3f-_=.A" }],
    ["/v2/a/blobs/uploads/manifests/latest", { is: "manifest", repository: "a/blobs/uploads", tag: "latest" }],
  ] as const) {
    it(`is known: ${target}`, () => assert.deepEqual(read(target), [is]));
  }

  for (const target of [
    ...["", "/", "/v2", "/v1/", "/V2/", "//v2/", "/v2//", "/v2/./", "/v2/_catalog/", "/v2/%5Fcatalog", "/v2/_Catalog"],
    ...["/v2/A/tags/list", "/v2/%61/tags/list", "/v2/a%2Fb/tags/list", "/v2//a/tags/list", "/v2/a//b/tags/list"],
    ...[
      "/v2/a/tags/list/",
      "/v2/a/tags//list",
      "/v2/a/tags/LIST",
      "/v2/a/tags/list;",
      "/v2/a/tags/list#",
      "/v2/tags/list",
    ],
    ...["/v2/a/./tags/list", "/v2/a/../b/tags/list", "/v2/../v2/a/tags/list", "/v2/a/%2e%2e/b/tags/list"],
    ...["/v2/.a/tags/list", "/v2/a./tags/list", "/v2/a..b/tags/list", "/v2/a___b/tags/list", "/v2/-a/tags/list"],
    ...[
      "/v2/registry.example:5043/a/tags/list",
      "http://registry/v2/a/tags/list",
      "/v2/a;b/tags/list",
      "/v2/é/tags/list",
    ],
    ...["/v2/a/tags/list\n", "/v2/a/manifests/", "/v2/a/manifests/b/", "/v2/a/manifests/b%2Fc", "/v2/a/manifests/b;c"],
    ...[`/v2/a/referrers/${digest}`, "/v2/a/manifests/b:c", `/v2/a/manifests/${"b".repeat(129)}`],
    ...[`/v2/a/manifests/${digest}0`, `/v2/a/manifests/${digest.slice(1)}`, `/v2/a/manifests/md5:${digits.slice(32)}`],
    ...[`/v2/a/blobs/${digest.replace("a", "A")}`, "/v2/a/blobs/sha512:abc", `/v2/a/blobs/uploads/${"b".repeat(256)}`],
    ...[
      `/v2/${"a".repeat(256)}/tags/list`,
      `/v2/${"a/".repeat(128)}a/blobs/${digest}`,
      `/v2/${"a".repeat(256)}/blobs/uploads/`,
    ],
    ...["/v2/_catalog?last=%00", "/v2/a/tags/list?last=a%1f", `/v2/a/tags/list?last=${"b".repeat(256)}`],
    ...["/v2/a/tags/list?l%61st=b", "/v2/a/manifests/b?c=%0a", `/v2/a/blobs/uploads/?from=${"b".repeat(256)}`],
    ...["/v2/a/blobs/b", "/v2/a/blobs/sha256:", `/v2/a/blobs/${digest}/`, `/v2/a/blobs/sha256%3A${digits}`],
    ...["/v2/a/blobs/uploads", "/v2/a/blobs//uploads/", "/v2/a/blobs/uploads//", "/v2/a/blobs/uploads/b/"],
    ...[
      "?From=b",
      "?fr%6Fm=b",
      "?from=b&from=c",
      "?from=b;from=c",
      `?mount=${digest};from=b`,
      "?from=B",
      "?from=b%2e",
      "?from=",
    ]
      .concat(["?from=b&", "?&from=b", "?from=b//c", "?from=%62", "?from=b%252Fc", "?from=b+c", "?from=b#c"])
      .concat([`?digest=${digest};from=b`, "?mount=b", `?mount=${digest}&from=b&mount=${digest}`])
      .map((query) => `/v2/a/blobs/uploads/${query}`),
  ]) {
    it(`is unknown: ${JSON.stringify(target)}`, () => assert.deepEqual(read(target), []));
  }
});

describe("the query of a new upload", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  const pattern = new RegExp(`^(?:${resources.find(({ name }) => name === "uploads")?.target ?? ""})$`);
  const read = (...fields: readonly string[]) => pattern.exec(`/v2/a/blobs/uploads/?${fields.join("&")}`);
  /** Each place of one list between the fields of another. */
  const within = (fields: readonly string[], more: readonly string[]) =>
    Array.from({ length: fields.length + 1 }, (_, i) => [...fields.slice(0, i), ...more, ...fields.slice(i)]);

  const mounts = [["from=b/c", `mount=${digest}`], [`mount=${digest}`, "from=b/c"], ["from=b/c"]];
  /** Parameters that go-containerregistry, regclient, containerd and the specification add, and one that nobody does. */
  const harmless = [
    "origin=a%3A1",
    "digest-algorithm=sha512",
    `digest=${digest}`,
    "ns=a.b",
    "x=",
    "x=from=d",
    "from.=d",
  ];

  it("may have other parameters at every place, which don't change its source", () => {
    for (const field of harmless) {
      assert.ok(read(field), field);
      for (const other of harmless) {
        for (const fields of mounts.flatMap((mount) => within(mount, [field, other]))) {
          assert.equal(read(...fields)?.groups?.["mount_from"], "b/c", fields.join("&"));
        }
      }
    }
  });

  it("has one source and one mount at most, and no name or value that could be mistaken for them", () => {
    const names = ["from", "From", "FROM", "fr%6Fm", "%66rom", "from%20", "+from", "from[]", "from;x", "mount"];
    const fields = names.flatMap((name) => [`${name}=d`, `${name}%3Dd`, name]);
    const values = ["x=y;from=d", "x=y;mount=z", "x=%00", "x=%1F", "x=y#from=d", "x=%zz", "x=%6", ""];
    for (const field of [...fields, ...values, `Mount=${digest}`, `m%6Funt=${digest}`]) {
      for (const mount of mounts) {
        for (const all of within(mount, [field])) assert.equal(read(...all), null, all.join("&"));
        for (const all of within(mount, ["x=y", field])) assert.equal(read(...all), null, all.join("&"));
      }
    }
    for (const mount of mounts.slice(0, 2)) {
      for (const all of within([...mount, "x=y"], [`mount=${digest}`])) assert.equal(read(...all), null, all.join("&"));
    }
  });
});

describe("who may do what, by the proxy's configuration", () => {
  const users = [
    { name: "reader", role: "reader" },
    { name: "writer", role: "writer" },
    { name: "Writer", role: "writer" },
    { name: "admin", role: "admin" },
  ] as const satisfies { name: string; role: Role }[];
  type Name = (typeof users)[number]["name"] | "nobody";

  const digest = `sha256:${"0".repeat(64)}`;
  const requests = {
    "check sign-in": () => ["GET", "/v2/"],
    "list the catalog": () => ["GET", "/v2/_catalog"],
    "pull from": (repository: string) => ["GET", `/v2/${repository}/manifests/latest`],
    "push to": (repository: string) => ["PUT", `/v2/${repository}/manifests/latest`],
    "delete from": (repository: string) => ["DELETE", `/v2/${repository}/manifests/latest`],
  } as const satisfies Record<string, (repository: string) => [string, string]>;

  const routeOf = (maps: NginxMaps, user: string | undefined, method: string, target: string) =>
    maps.lookUp("route", { request_method: method, request_uri: target, user: user ?? "" });

  /** The users who may do something, by rules and anonymous prefixes. */
  function allowed(
    what: keyof typeof requests,
    repository: string,
    rules: readonly Rule[] = [],
    openPrefixes: readonly string[] = [],
  ): Name[] {
    const maps = new NginxMaps(renderAccess({ users, rules, openPrefixes }));
    const everybody: Name[] = ["nobody", ...users.map(({ name }) => name)];
    const [method, target] = requests[what](repository);
    return everybody.filter((name) => {
      const route = routeOf(maps, name === "nobody" ? undefined : name, method, target);
      assert.ok(["@registry", "@tag", "@denied"].includes(route), route);
      return route !== "@denied";
    });
  }

  it("lets readers pull, writers push too, and admins also list and delete", () => {
    assert.deepEqual(allowed("check sign-in", ""), ["nobody", "reader", "writer", "Writer", "admin"]);
    assert.deepEqual(allowed("pull from", "a"), ["reader", "writer", "Writer", "admin"]);
    assert.deepEqual(allowed("push to", "a"), ["writer", "Writer", "admin"]);
    assert.deepEqual(allowed("list the catalog", ""), ["admin"]);
    assert.deepEqual(allowed("delete from", "a"), ["admin"]);
  });

  it("lets a rule restrict who pulls and pushes, but not an admin, and nobody beyond their role", () => {
    const rules = [{ prefix: "a", pull: ["reader"], push: ["writer"] }];
    assert.deepEqual(allowed("pull from", "a", rules), ["reader", "writer", "admin"]);
    assert.deepEqual(allowed("push to", "a", rules), ["writer", "admin"]);
    assert.deepEqual(allowed("delete from", "a", rules), ["admin"]);
    assert.deepEqual(allowed("push to", "a", [{ prefix: "a", push: ["reader", "writer"] }]), ["writer", "admin"]);
    assert.deepEqual(allowed("pull from", "a", [{ prefix: "a", pull: [] }]), ["admin"]);
  });

  it("lets all pull if a rule is only about pushing, and lets those push who may pull if it is only about pulling", () => {
    assert.deepEqual(allowed("pull from", "a", [{ prefix: "a", push: [] }]), ["reader", "writer", "Writer", "admin"]);
    const rules = [{ prefix: "a", pull: ["reader", "Writer"] }];
    assert.deepEqual(allowed("pull from", "a", rules), ["reader", "Writer", "admin"]);
    assert.deepEqual(allowed("push to", "a", rules), ["Writer", "admin"]);
  });

  it("applies a rule to whole components of a name", () => {
    const rules = [{ prefix: "team/app", pull: [] }];
    for (const repository of ["team/app", "team/app/web"]) {
      assert.deepEqual(allowed("pull from", repository, rules), ["admin"], repository);
    }
    for (const repository of ["team", "team/apple", "team/app-2", "team/app.x", "x/team/app", "teamxapp"]) {
      assert.equal(allowed("pull from", repository, rules).length, 4, repository);
    }
  });

  it("applies only the rule with the longest prefix, in whatever order they are given", () => {
    const rules = [
      { prefix: "a", pull: ["reader"] },
      { prefix: "a/b", push: ["writer"] },
      { prefix: "a/b/c", pull: ["Writer"], push: [] },
    ];
    for (const given of [rules, [...rules].reverse()]) {
      assert.deepEqual(allowed("pull from", "a/x", given), ["reader", "admin"]);
      assert.deepEqual(allowed("pull from", "a/b/x", given), ["reader", "writer", "Writer", "admin"]);
      assert.deepEqual(allowed("push to", "a/b/x", given), ["writer", "admin"]);
      assert.deepEqual(allowed("pull from", "a/b/c", given), ["Writer", "admin"]);
      assert.deepEqual(allowed("push to", "a/b/c/x", given), ["admin"]);
    }
  });

  it("lets anybody pull from an open prefix, and do no more", () => {
    assert.deepEqual(allowed("pull from", "public/a", [], ["public"])[0], "nobody");
    for (const [what, repository] of [
      ["push to", "public"],
      ["delete from", "public"],
      ["list the catalog", ""],
      ["pull from", "publicity"],
      ["pull from", "a/public"],
    ] as const) {
      assert.ok(!allowed(what, repository, [], ["public"]).includes("nobody"), `${what} ${repository}`);
    }
  });

  it("applies a rule about pulling within an open prefix, too", () => {
    assert.deepEqual(allowed("pull from", "a/b", [{ prefix: "a/b", pull: ["reader"] }], ["a"]), ["reader", "admin"]);
    assert.ok(allowed("pull from", "a", [{ prefix: "a", push: [] }], ["a"]).includes("nobody"));
  });

  it("turns a mount from a repository that the user may not pull into an ordinary upload", () => {
    const maps = new NginxMaps(
      renderAccess({ users, rules: [{ prefix: "secret/b", pull: ["Writer"] }], openPrefixes: [] }),
    );
    const mount = (user: string, from: string) =>
      routeOf(maps, user, "POST", `/v2/a/blobs/uploads/?mount=${digest}&from=${from}`);
    for (const from of ["secret/b", "secret%2Fb", "secret%2fb/c"]) {
      const routes = ["reader", "writer", "Writer", "admin"].map((user) => mount(user, from));
      assert.deepEqual(routes, ["@denied", "@upload", "@mount", "@mount"], from);
    }
    assert.equal(mount("writer", "secret"), "@mount");
  });

  it("distinguishes an unknown method from an unknown path", () => {
    const maps = new NginxMaps(renderAccess({ users, rules: [], openPrefixes: [] }));
    assert.equal(routeOf(maps, "admin", "POST", "/v2/a/tags/list"), "@unsupported");
    assert.equal(routeOf(maps, "admin", "GET", "/v2/a/tags"), "@unknown");
    const given = { status: "405", request_uri: "/v2/a/manifests/b" };
    assert.equal(maps.lookUp("allowed_methods", given), "GET, HEAD, PUT, DELETE");
  });

  it("follows roles and rules, whatever the settings accept and clients send", () => {
    const anything = anySettings.chain((raw) => {
      const settings = accepted(raw);
      assert.ok(settings);
      return fc.tuple(fc.constant(settings), fc.array(anyRequest(settings), { minLength: 1, maxLength: 20 }));
    });
    fc.assert(
      fc.property(anything, ([settings, requests]) => {
        const { users, rules, anonymous } = settings;
        const maps = new NginxMaps(renderAccess({ users, rules, openPrefixes: anonymous?.prefixes ?? [] }));
        for (const request of requests) {
          const route = routeOf(maps, request.user, request.method, request.target);
          assert.equal(route, expectedRoute(settings, request), JSON.stringify(request));
        }
      }),
      { numRuns: 300 },
    );
  }).timeout(30_000);
});
