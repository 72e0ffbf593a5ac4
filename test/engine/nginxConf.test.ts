import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import fc from "fast-check";

import { basicAuthorization } from "../../cli/client.ts";
import { configFiles } from "../../components/proxy/nginx/files.ts";
import { type NginxConf, renderNginxConf } from "../../components/proxy/nginx/nginxConf.ts";
import { renderHtpasswd } from "../../components/proxy/nginx/signIn.ts";
import type { RawSettings } from "../../settings/configuration.ts";
import type { Settings } from "../../settings/index.ts";
import { accepted, anySettings } from "../support/anySettings.ts";
import { issue, type Issued } from "../support/certificates.ts";
import { type Directive, readConfigurations } from "../support/crossplane.ts";
import { anyRequest, expectedRoute, type Request } from "../support/requests.ts";
import { run } from "../support/run.ts";

const seed = Number(process.env["SEED"] ?? Date.now() % 2 ** 31);
const configurations = 100;
/** How many of these are served, and how many requests each gets. */
const served = 40;
const requestsEach = 100;
/** How many are tested with passwords. */
const guessed = 10;

/** Settings, and the configuration rendered from them. */
interface Case {
  readonly raw: RawSettings;
  readonly settings: Settings;
  readonly conf: NginxConf;
  readonly folder: string;
}

/** Believes a client about who has signed in, and returns in a header where the request would have gone. */
const tellingServer = `
  server {
    listen 127.0.0.1:9000;
    access_log off;
    location / {
      set $signed_in $http_signed_in;
      add_header Route $route always;
      return 200;
    }
  }
`;

describe(`whatever the settings accept (SEED=${String(seed)})`, function () {
  this.timeout(2 * 60_000);

  const mounted = "/configurations";
  let certificate: Issued;
  let folder: string;
  let plain: Case;
  let cases: Case[];

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "configurations-"));
    chmodSync(folder, 0o755); // for the proxy's user
    certificate = issue({ commonName: "registry", names: "DNS:registry" });
    plain = writeCase({}, "plain");
    const all = [crowd(), ...fc.sample(anySettings, { numRuns: configurations - 1, seed })];
    cases = all.map((raw, i) => writeCase(raw, String(i)));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Writes the proxy's files, as its component does, and beside them a configuration that returns `$route`. */
  function writeCase(raw: RawSettings, name: string): Case {
    const settings = accepted(raw);
    assert.ok(settings);
    const { users, rules, anonymous, limits, hostname } = settings;
    const hex = (text: string) => Buffer.from(`${name} ${text}`).toString("hex").slice(-16);
    const conf: NginxConf = {
      serverName: hostname ?? "localhost",
      endpoints: [
        { audience: "users", ports: [8443] },
        ...(anonymous ? [{ audience: "anybody", ports: [8444] } as const] : []),
      ],
      statusPort: 8081,
      registryPort: 5043,
      isRenewed: false,
      isWatched: true,
      registries: ["private-registry-dev1-registry-1:5000", "private-registry-dev1-registry-2:5000"],
      dataFolder: "/data",
      users,
      passwordRevisions: Object.fromEntries(users.map(({ name }) => [name, hex(name)])),
      rules,
      openPrefixes: anonymous?.prefixes ?? [],
      ...limits,
      revision: hex(""),
    };
    const text = renderNginxConf(conf);
    const path = join(folder, name);
    mkdirSync(path);
    const files = {
      [configFiles.conf]: text,
      "telling.conf": text.replace(/}\n$/, `${tellingServer}}\n`),
      // As it is, but unencrypted, and with the words that may contain passwords.
      "asking.conf": text
        .replaceAll("listen 8443 ssl;", "listen 127.0.0.1:9000;")
        .replace("server_tokens off;", "proxy_ignore_client_abort on; server_tokens off;")
        .replace("error_log stderr crit;", "error_log stderr info;")
        .replace(`../${conf.revision}/`, "")
        .replaceAll(/^ +limit_req .*\n/gm, ""),
      [configFiles.certificate]: certificate.certificate,
      [configFiles.key]: certificate.key,
      [configFiles.htpasswd]: renderHtpasswd(
        Object.fromEntries(users.map(({ name }) => [name, `$2y$04$${"a".repeat(53)}`])),
      ),
    };
    for (const [file, content] of Object.entries(files)) writeFileSync(join(path, file), content);
    return { raw, settings, conf, folder: path };
  }

  /** Runs a script in the proxy's image, as the proxy runs, with every configuration and no network. */
  async function inImage(script: string): Promise<string[]> {
    const { code, output } = await run("docker", [
      ...["run", "--rm", "--user", "101:101", "--read-only", "--tmpfs", "/tmp", "--network", "none"],
      ...["--volume", `${folder}:${mounted}:ro`, "--workdir", mounted, "--entrypoint", "timeout"],
      ...[plain.settings.images.proxy, "90", "sh", "-euc", script],
    ]);
    assert.equal(code, 0, output);
    return output.split(/^case /m).slice(1);
  }

  it("gives a configuration that nginx accepts without a warning", async () => {
    const said = await inImage(`
      for i in $(seq 0 ${String(configurations - 1)}); do
        echo "case $i"
        nginx -t -q -c ${mounted}/$i/${configFiles.conf} 2>&1 || echo "refused"
      done`);
    for (const [i, { raw }] of cases.entries()) assert.equal(said[i], `${String(i)}\n`, shown(raw));
  });

  it("gives exactly the expected directives, as another parser reads them", async () => {
    const files = [plain, ...cases].map(({ folder }) => join(folder, configFiles.conf));
    const [of = [], ...trees] = await readConfigurations(files);
    for (const [i, { raw, conf }] of cases.entries()) {
      const maps = Object.keys(expectedMaps(conf));
      const told = listed(readable(trees[i] ?? [], maps));
      assert.deepEqual(told, listed(expectedTree(of, plain.conf, conf)), shown(raw));
    }
  });

  it("gives every request of every user the answer that roles and rules require, as nginx serves it", async () => {
    const running = cases.slice(0, served).map((each, i) => {
      const requests = fc.sample(anyRequest(each.settings), { numRuns: requestsEach, seed: seed + i });
      writeFileSync(join(each.folder, "requests"), asSent(requests, each.settings.users[0]?.name ?? ""));
      return { ...each, requests };
    });
    const said = await inImage(`
      for i in $(seq 0 ${String(served - 1)}); do
        nginx -c ${mounted}/$i/telling.conf 2>/dev/null
        echo "case $i"
        nc 127.0.0.1 9000 <$i/requests
        kill $(cat /tmp/nginx.pid)
        while [ -e /tmp/nginx.pid ]; do sleep 0.01; done
      done`);
    for (const [i, { raw, settings, requests }] of running.entries()) {
      const routes = [...(said[i] ?? "").matchAll(/^Route: (.*)\r$/gm)].map(([, route]) => route);
      assert.equal(routes.length, requestsEach, `${said[i] ?? ""}\n${shown(raw)}`);
      const line = ({ user = "", method, target }: Request, route = "") => `${route} ${method} ${target} by ${user}`;
      const expected = requests.map((request) => line(request, expectedRoute(settings, request)));
      const told = requests.map((request, n) => line(request, routes[n]));
      assert.deepEqual(told, expected, shown(raw));
    }
  });

  it("makes an unknown name cost as much as a user's, by what nginx says that it checked", async () => {
    const running = cases.slice(0, guessed).map((each, i) => {
      const names = each.settings.users.map(({ name }) => name);
      const near = (name: string) => [
        ...[name, name.toUpperCase(), name.toLowerCase(), `${name} `, `${name}\u0001`, name.slice(0, -1)],
      ];
      const odd = ["nobody", "\u0001", "#", "a\nb", "\u0000", "x".repeat(300), "é", "%s"];
      const some = fc.sample(fc.constantFrom(...names), { numRuns: 4, seed: seed + i });
      const asked = [...some.flatMap(near), ...odd]
        .filter((name) => name !== "")
        .flatMap((name) => [basicAuthorization(name, "wrong"), basicAuthorization(name, "")]);
      // These are no names, so nobody's password is checked.
      const unread = ["Basic", "Basic ", "Basic !", basicAuthorization("", "wrong"), "Bearer abc", "Basic YQ=="];
      const all = [...asked, ...unread];
      const requests = all.map((header, n) =>
        [
          ...["GET /v2/ HTTP/1.1", "Host: registry", `Authorization: ${header}`],
          ...(n + 1 === all.length ? ["Connection: close"] : []),
          "\r\n",
        ].join("\r\n"),
      );
      writeFileSync(join(each.folder, "guesses"), requests.join(""));
      return { ...each, asked: asked.length, all: all.length };
    });
    const said = await inImage(`
      for i in $(seq 0 ${String(guessed - 1)}); do
        echo "case $i"
        nginx -c ${mounted}/$i/asking.conf 2>/tmp/said
        nc 127.0.0.1 9000 <$i/guesses
        kill $(cat /tmp/nginx.pid)
        while [ -e /tmp/nginx.pid ]; do sleep 0.01; done
        cat /tmp/said
      done`);
    for (const [i, { raw, asked, all }] of running.entries()) {
      const count = (pattern: RegExp) => [...(said[i] ?? "").matchAll(pattern)].length;
      const counts = {
        refused: count(/HTTP\/1\.1 401 /g),
        checked: count(/: password mismatch, /g),
        unfound: count(/" was not found in "/g),
      };
      assert.deepEqual(counts, { refused: all, checked: asked, unfound: 0 }, shown(raw));
    }
  });
});

/** Far more users than nginx has room for in maps of the usual size. */
function crowd(): RawSettings {
  const names = Array.from({ length: 300 }, (_, i) => `somebody.with.a.long.name.${String(i)}@registry.example`);
  const rules = ["a", "a/b", "c"].map((prefix) => ({ prefix, pull: names, push: names.slice(100) }));
  return { users: JSON.stringify(names.map((name) => ({ name }))), rules: JSON.stringify(rules) };
}

/** What failed, and how to reproduce it. */
function shown(raw: RawSettings): string {
  return `SEED=${String(seed)} ${JSON.stringify(raw, undefined, 1).slice(0, 10_000)}`;
}

/** All requests at once, on one connection. A user who isn't signed in sends a name, too. */
function asSent(requests: readonly Request[], name: string): string {
  const each = requests.map(({ user, method, target }, i) =>
    [
      `${method} ${target} HTTP/1.1`,
      "Host: registry",
      `Authorization: ${basicAuthorization(user ?? name, "password")}`,
      ...(user === undefined ? [] : ["Signed-In: yes"]),
      ...(i + 1 === requests.length ? ["Connection: close"] : []),
    ].join("\r\n"),
  );
  return each.map((request) => `${request}\r\n\r\n`).join("");
}

/** The tree of other settings: that of the plain ones, with their values in exactly the right places. */
function expectedTree(of: readonly Directive[], from: NginxConf, to: NginxConf): Directive[] {
  const places = (conf: NginxConf): Record<string, string[]> => ({
    "http server server_name": [conf.serverName],
    "http client_max_body_size": [conf.maxUploadSize ?? "0"],
    "http limit_req_zone": ["$guesser", "zone=guesser:4m", `rate=${String(conf.guessesPerMinute)}r/m`],
    "http server location limit_req": ["zone=guesser", `burst=${String(conf.guessesPerMinute)}`, "nodelay"],
    "http server location auth_basic_user_file": [`../${conf.revision}/${configFiles.htpasswd}`],
    "http server location return": ["200", conf.revision],
  });
  const [before, after, maps] = [places(from), places(to), expectedMaps(to)];
  const met = new Set<string>();

  const expected = ({ directive, args, block }: Directive, within: string): Directive => {
    const place = `${within}${directive}`;
    const map = place === "http map" ? maps[args.join(" ")] : undefined;
    const set = isSame(args, before[place]);
    if (set) met.add(place);
    if (map) met.add(args.join(" "));
    return {
      directive,
      args: (set ? after[place] : undefined) ?? args,
      ...(block && { block: map ?? block.map((inner) => expected(inner, `${place} `)) }),
    };
  };
  const tree = of.map((directive) => expected(directive, ""));
  assert.deepEqual([...met].sort(), [...Object.keys(before), ...Object.keys(maps)].sort());
  const anonymousPort = to.endpoints.find(({ audience }) => audience === "anybody")?.ports[0];
  if (anonymousPort === undefined) return tree;
  return tree.map((directive) =>
    directive.directive === "http"
      ? {
          ...directive,
          block: [...(directive.block ?? []), anonymousServer(directive.block?.at(-1), anonymousPort)],
        }
      : directive,
  );
}

function isSame(one: readonly string[], other: readonly string[] | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** What a directive of the sign-in ends with. */
const ofSignIn = ["/_sign_in", "@throttled", "$upstream_http_signed_in"];

/** The server for signed-in users, without the sign-in. */
function anonymousServer(main: Directive | undefined, port: number | undefined): Directive {
  assert.ok(main?.block);
  const withoutSignIn = (block: readonly Directive[]) =>
    block.filter(({ args }) => !ofSignIn.includes(args.at(-1) ?? ""));
  const block = withoutSignIn(main.block).map((inner) => {
    if (inner.directive === "listen") return { ...inner, args: [String(port), "ssl"] };
    return inner.block ? { ...inner, block: withoutSignIn(inner.block) } : inner;
  });
  return { ...main, block };
}

/** The maps that depend on settings, by their arguments. Each key is as `readKey` returns it. */
function expectedMaps({
  serverName,
  users,
  passwordRevisions,
  rules,
  openPrefixes,
}: NginxConf): Record<string, Directive[]> {
  const entry = (directive: string, value: string): Directive => ({ directive, args: [value] });
  const folded = (name: string) =>
    Buffer.from(name)
      .toString("latin1")
      .replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const alike = (name: string) => users.filter((user) => folded(user.name) === folded(name)).length;
  const key = (before: string, name: string) => `${alike(name) > 1 ? "in this case" : "in any case"}: ${before}${name}`;

  const longestFirst = rules.map(({ prefix }) => prefix).sort((one, other) => other.length - one.length);
  const under = longestFirst.map((prefix) => entry(`under: ${prefix}`, prefix));
  const lists = rules.flatMap(({ prefix, pull, push }) => [
    ...(pull ? [{ on: `${prefix} pull`, names: new Set([...pull, ...(push ?? [])]) }] : []),
    ...(push || pull ? [{ on: `${prefix} push`, names: new Set(push ?? pull) }] : []),
  ]);
  const listed = [
    ...lists.flatMap(({ on, names }) => [...names].map((name) => entry(key(`${on} `, name), "listed"))),
    ...lists.map(({ on }) => entry(`anybody: ${on}`, "unlisted")),
    entry("default", "free"),
  ];
  return {
    "$remote_user $password_revision": users.map(({ name }) =>
      entry(key("", name), passwordRevisions[name] ?? "nothing"),
    ),
    "$remote_user $checked_authorization": [
      entry("default", basicAuthorization("\u0001", "")),
      entry("", "$http_authorization"),
      ...users.map(({ name }) => entry(`in this case: ${name}`, "$http_authorization")),
    ],
    "$http_host $asked_host": [entry("", serverName), entry("default", "$http_host")],
    "$user $role": [...users.map(({ name, role }) => entry(key("", name), role)), entry("default", "anonymous")],
    "$resource $repository $open": openPrefixes.map((prefix) => entry(`under: ${prefix}`, "open")),
    "$resource $repository $rule": under,
    "$resource $mount_from $source_rule": under,
    "$rule $action $user $listed": listed,
    "$source_rule pull $user $source_listed": listed,
  };
}

/** Every directive on a line of its own, after the blocks that it is in. */
function listed(tree: readonly Directive[], within = ""): string[] {
  return tree.flatMap(({ directive, args, block }) => {
    const line = `${within}${JSON.stringify([directive, ...args])}`;
    return block === undefined ? [line] : [line, ...listed(block, `${line} `)];
  });
}

/** The tree with the keys of the maps that depend on settings as words. */
function readable(tree: readonly Directive[], maps: readonly string[]): Directive[] {
  return tree.map(({ block, ...directive }) => {
    if (block === undefined) return directive;
    return directive.directive === "map" && maps.includes(directive.args.join(" "))
      ? { ...directive, block: block.map((entry) => ({ ...entry, directive: readKey(entry.directive) })) }
      : { ...directive, block: readable(block, maps) };
  });
}

/** What a key means: without the quoting of nginx, then that of a map, then that of a regular expression. */
function readKey(key: string): string {
  const escapes: Record<string, string> = { t: "\t", r: "\r", n: "\n" };
  const text = key.replaceAll(/\\(["'\\trn])/g, (_, character: string) => escapes[character] ?? character);
  if (text.startsWith("\\")) return `in any case: ${text.slice(1)}`;
  const pattern = /^~\^\(\?:(.*)\)\\z$/s.exec(text)?.[1] ?? "";
  const anybody = /^(.*) \.\*$/.exec(pattern)?.[1];
  const prefix = /^\\w\+ (.*)\(\?:\(\?:\/\|%2\[Ff\]\)\.\*\)\?$/.exec(pattern)?.[1];
  const [kind, bytes] =
    prefix !== undefined
      ? ["under", prefix.replaceAll("(?:/|%2[Ff])", "/")]
      : anybody !== undefined
        ? ["anybody", anybody]
        : ["in this case", pattern];
  if (!/^(?:[\w/-]|\\x[0-9a-f]{2})+$/.test(bytes)) return text;
  const latin1 = bytes.replaceAll(/\\x(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return `${kind}: ${Buffer.from(latin1, "latin1").toString()}`;
}
