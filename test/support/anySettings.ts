import fc from "fast-check";

import { type Role, roles } from "../../components/access.ts";
import type { RawSettings } from "../../settings/configuration.ts";
import { parseSettings, type Settings } from "../../settings/index.ts";
import { defaults } from "./settings.ts";

/** The settings from a stack's own text, over the defaults of Pulumi.yaml; undefined if they refuse it. */
export function accepted(raw: RawSettings): Settings | undefined {
  const { settings, problems } = parseSettings({ ...defaults, ...raw }, { env: {}, home: "/nowhere", now: new Date() });
  return problems.length === 0 ? (settings as Settings) : undefined;
}

/** Words with a meaning to nginx in place of a user's name, or to JavaScript. */
const words = [
  ...["default", "include", "include *.conf", "hostnames", "volatile", "if", "map", "on", "yes", "0", "1", "a/b"],
  ...["~", "~*", "~^.*$", "~admin", "\\", "\\\\", "\\default", "\\~", '"', "'", "$", "$user", "${user}", "{", "}", ";"],
  ...["};", "a;b", "} server {", "a #b", ".*", "(", "[", "*.a", ".a", "\\x41", "\\z", "%41", "a b", " ", "  a", "a "],
  ...["admin", "Admin", "ADMIN", "anonymous", "reader", "pull", "a push b", "free", "listed", "é", "É", "😀"],
  ...["K", "k", "\u212A", "ſ", "s", "\uFEFFa", "a\u2028b", "\u00A0", "constructor", "toString", "__proto__"],
] as const;

const hostile = fc.constantFrom(...Array.from("\"'\\$~{};#()[]*+?.|^/- %=&,<>@!`aAbBnrt0xX_éÉ😀"));

const longest = (text: string) => text.repeat(Math.floor(255 / Buffer.byteLength(text)));

const same = (text: string) => text;
const upper = (text: string) => text.toUpperCase();
const lower = (text: string) => text.toLowerCase();
const json = (value: unknown) => JSON.stringify(value);

/** No role is the default one. */
const anyRole = fc.constantFrom(...roles, undefined);

/** A name, half the time beside the same in another case, which is another user. */
const names = fc
  .tuple(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...words) },
      { weight: 4, arbitrary: fc.string({ unit: hostile, minLength: 1, maxLength: 12 }) },
      { weight: 1, arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 12 }) },
      { weight: 1, arbitrary: fc.string({ unit: hostile, minLength: 1, maxLength: 3 }).map(longest) },
    ),
    fc.subarray([same, upper, lower], { minLength: 1 }),
  )
  .map(([name, spellings]) => spellings.map((spell) => spell(name)));

const users = fc
  .array(names, { minLength: 1, maxLength: 6 })
  .map((names) => [...new Set(names.flat())].filter((name) => accepted({ users: json([{ name }]) })))
  .filter((names) => names.length > 0)
  .chain((names) => fc.tuple(...names.map((name) => fc.record({ name: fc.constant(name), role: anyRole }))));

const component = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("a", "b", "ab", "a.b") },
  { weight: 1, arbitrary: fc.constantFrom("a-b", "a--b", "a__b", "a_b", "0", "v2", "tags", "blobs", "uploads") },
);

/** Short ones, so that many are within each other, and the longest. */
const prefix = fc.oneof(
  { weight: 12, arbitrary: fc.array(component, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/")) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "x".repeat(255),
      `${"a/".repeat(127)}a`,
      `${"a.".repeat(127)}a`,
      `a${"-".repeat(253)}a`,
      `${"a/b.c-d__e/".repeat(23)}ab`,
    ),
  },
);

const rulesAbout = (users: readonly { readonly name: string; readonly role: Role | undefined }[]) => {
  const some = (names: readonly string[]) => fc.option(fc.array(fc.constantFrom("", ...names), { maxLength: 4 }));
  const list = (of: typeof users) => some(of.map(({ name }) => name)).map((names) => names?.filter(Boolean));
  const rule = fc.record({ prefix, pull: list(users), push: list(users.filter(({ role }) => role !== "reader")) });
  return fc
    .uniqueArray(rule, { selector: ({ prefix }) => prefix, maxLength: 8 })
    .map((rules) => rules.filter(({ pull, push }) => pull ?? push));
};

const anonymous = fc.option(
  fc.record({ port: fc.integer({ min: 1, max: 65535 }), prefixes: fc.array(prefix, { minLength: 1, maxLength: 4 }) }),
);

const label = fc.oneof(
  fc.stringMatching(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/),
  fc.constantFrom("default", "include", "xn--bcher-kva", "x".repeat(63)),
);

const hostname = fc.oneof(
  fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join(".")),
  fc.ipV4(),
  fc.constantFrom("localhost", "0.0.0.0", "255.255.255.255", `${"a-0.".repeat(63)}a`),
);

/** Sets the hostname if nothing else does. */
const dockerHost = fc.constantFrom(
  "",
  "unix:///run/docker.sock",
  "tcp://127.0.0.1:2375",
  ...["ssh://deploy@build.example", "ssh://deploy@build_host", "ssh://[::1]", "ssh://a;b", "ssh://~x", "ssh://a{b}"],
);

const size = fc.oneof(
  fc
    .tuple(fc.integer({ min: 1, max: 1024 ** 2 }), fc.constantFrom("k", "m", "g"))
    .map(([count, unit]) => `${String(count)}${unit}`),
  fc.constantFrom("", "1k", "1048576g", "1073741824m", "9999999999k"),
);

/** The text of a stack's own settings, none of which is refused. */
export const anySettings: fc.Arbitrary<RawSettings> = users
  .chain((users) =>
    fc.record({
      users: fc.constant(json(users)),
      rules: rulesAbout(users).map(json),
      anonymous: anonymous.map((value) => (value === null ? undefined : json(value))),
      dockerHost,
      hostname: fc.oneof(fc.constant(""), hostname),
      maxUploadSize: size,
      guessesPerMinute: fc.integer({ min: 1, max: 40 }).map(String),
      port: fc.integer({ min: 1, max: 65535 }).map(String),
    }),
  )
  .map(({ anonymous, ...raw }) => (anonymous === undefined ? raw : { ...raw, anonymous }))
  .filter((raw) => accepted(raw) !== undefined);
