import fc from "fast-check";

import type { Settings } from "../../settings/index.ts";

/** A client's request. A user has signed in. */
export interface Request {
  readonly user?: string | undefined;
  readonly method: string;
  readonly target: string;
}

/** The named location that must answer a request: docs/access.md, implemented a second time and without maps. */
export function expectedRoute(settings: Settings, { user, method, target }: Request): string {
  const asked = understood(target);
  if (asked === undefined) return "@unknown";
  const action = new Map(Object.entries(actions[asked.about])).get(method);
  if (action === undefined) return "@unsupported";
  if (!mayDo(settings, user, action, asked.repository)) return "@denied";
  if (asked.answered === "@blob" && method === "HEAD") return "@sought";
  if (action === "pull" && asked.answered !== undefined) return asked.answered;
  const { mountedFrom } = asked;
  if (mountedFrom === undefined) return "@registry";
  return mayDo(settings, user, "pull", mountedFrom) ? "@mount" : "@upload";
}

type Action = "check" | "catalog" | "pull" | "push" | "delete";

const actions = {
  base: { GET: "check", HEAD: "check" },
  catalog: { GET: "catalog" },
  tags: { GET: "pull" },
  manifests: { GET: "pull", HEAD: "pull", PUT: "push", DELETE: "delete" },
  blobs: { GET: "pull", HEAD: "pull", DELETE: "delete" },
  uploads: { POST: "push" },
  upload: { GET: "push", HEAD: "push", PATCH: "push", PUT: "push", DELETE: "push" },
} as const satisfies Record<string, Record<string, Action>>;

function mayDo(settings: Settings, user: string | undefined, action: Action, repository: string): boolean {
  const within = (prefix: string) => `${repository}/`.startsWith(`${prefix}/`);
  const role = settings.users.find(({ name }) => name === user)?.role;
  if (role === "admin" || action === "check") return true;
  if (role === undefined && !(settings.anonymous?.prefixes ?? []).some(within)) return false;
  if (role === undefined && action !== "pull") return false;
  if (action === "catalog" || action === "delete" || (action === "push" && role === "reader")) return false;
  const matching = settings.rules.filter(({ prefix }) => within(prefix));
  const longest = Math.max(...matching.map(({ prefix }) => prefix.length));
  const rule = matching.find(({ prefix }) => prefix.length === longest);
  const listed = action === "push" ? (rule?.push ?? rule?.pull) : rule?.pull && [...rule.pull, ...(rule.push ?? [])];
  return listed === undefined || (user !== undefined && listed.includes(user));
}

interface Asked {
  readonly about: keyof typeof actions;
  readonly repository: string;
  /** Where a pull is answered, if not by the registry alone: a tag, or a digest of the kind that the registry stores by. */
  readonly answered?: "@blob" | "@manifest" | "@tag" | undefined;
  readonly mountedFrom?: string | undefined;
}

/** The subject of a canonical target; undefined for any other. */
function understood(target: string): Asked | undefined {
  const [path = "", ...rest] = target.split("?");
  const query = rest.join("?");
  if (["%0", "%1"].some((control) => query.includes(control))) return undefined;
  if (path === "/v2/") return { about: "base", repository: "" };
  if (path === "/v2/_catalog") return isListQuery(query) ? { about: "catalog", repository: "" } : undefined;
  const [root, version, ...parts] = path.split("/");
  if (root !== "" || version !== "v2") return undefined;
  const last = parts.pop() ?? "";
  const kind = parts.pop() ?? "";
  const inUpload = kind === "uploads" && parts.at(-1) === "blobs";
  if (inUpload) parts.pop();
  const repository = parts.join("/");
  if (!isRepository(repository)) return undefined;
  if (inUpload && last === "") {
    const mountedFrom = sourceOf(query);
    return mountedFrom === false ? undefined : { about: "uploads", repository, mountedFrom };
  }
  if (inUpload) {
    return consistsOf(last, `${alphanumeric}_.=-`) && last.length <= 255 ? { about: "upload", repository } : undefined;
  }
  if (kind === "tags" && last === "list") return isListQuery(query) ? { about: "tags", repository } : undefined;
  if (kind === "manifests" && isTag(last)) return { about: "manifests", repository, answered: "@tag" };
  if (!hasDigits(last)) return undefined;
  const filed = last.startsWith("sha256:");
  if (kind === "manifests") return { about: "manifests", repository, answered: filed ? "@manifest" : undefined };
  return kind === "blobs" ? { about: "blobs", repository, answered: filed ? "@blob" : undefined } : undefined;
}

/** The parameters of a query; undefined if a name could mean another, or a value could be two. */
function fieldsOf(query: string): { name: string; value: string }[] | undefined {
  const fields = query === "" ? [] : query.split("&").map((field) => field.split("="));
  const few = 8;
  const plain = fields.every(([name = "", ...value]) => {
    const [first = "", ...encoded] = value.join("=").split("%");
    const codes = encoded.map((text) => text.slice(0, 2));
    return (
      value.length > 0 &&
      consistsOf(name, `${alphanumeric}._~-`) &&
      ![first, ...encoded].some((text) => text.includes(";") || text.includes("#")) &&
      codes.every((code) => code.length === 2 && consistsOf(code, `${digits}abcdefABCDEF`))
    );
  });
  return plain && fields.length <= few
    ? fields.map(([name = "", ...value]) => ({ name, value: value.join("=") }))
    : undefined;
}

/** An encoded character counts once. */
function isListQuery(query: string): boolean {
  const fields = fieldsOf(query);
  return fields?.every(({ value }) => value.length - 2 * (value.split("%").length - 1) <= 255) === true;
}

/** The repository to mount a new upload from, if any; `false` for a query that clients don't send. */
function sourceOf(query: string): string | undefined | false {
  const fields = fieldsOf(query);
  if (fields === undefined) return false;
  const named = (word: string) => fields.filter(({ name }) => name.toLowerCase() === word);
  const [mounts, sources] = [named("mount"), named("from")];
  if ([...mounts, ...sources].some(({ name }) => name !== name.toLowerCase())) return false;
  if (mounts.length > 1 || sources.length > 1) return false;
  if (!mounts.every(({ value }) => isDigest(value.replace(/%3a/i, ":")))) return false;
  const from = sources[0]?.value.replaceAll(/%2f/gi, "/");
  return from === undefined || isRepository(from) ? from : false;
}

const letters = "abcdefghijklmnopqrstuvwxyz";
const digits = "0123456789";
const alphanumeric = letters + letters.toUpperCase() + digits;

function consistsOf(text: string, characters: string): boolean {
  return text !== "" && Array.from(text).every((character) => characters.includes(character));
}

function isDigest(text: string): boolean {
  const [algorithm = "", hex = "", ...more] = text.split(":");
  return more.length === 0 && consistsOf(algorithm, `${alphanumeric}+._-`) && consistsOf(hex, `${digits}abcdefABCDEF`);
}

/** A digest of the kind that the registry stores by. */
function hasDigits(text: string): boolean {
  const lengths = { sha256: 64, sha384: 96, sha512: 128 };
  return Object.entries(lengths).some(([algorithm, length]) => {
    const hex = text.slice(algorithm.length + 1);
    return text.startsWith(`${algorithm}:`) && hex.length === length && consistsOf(hex, `${digits}abcdef`);
  });
}

function isTag(text: string): boolean {
  return consistsOf(text, `${alphanumeric}_.-`) && text.length <= 128 && ![".", "-"].includes(text.slice(0, 1));
}

function isRepository(name: string): boolean {
  if (name.length > 255) return false;
  return name.split("/").every((component) => {
    const separators = component.split(/[a-z0-9]+/);
    const inner = separators.slice(1, -1);
    return (
      separators.length > 1 &&
      [separators[0], separators.at(-1)].every((end) => end === "") &&
      inner.every((separator) => [".", "_", "__"].includes(separator) || consistsOf(separator, "-"))
    );
  });
}

/** Requests close to the settings: the repositories of the rules, and those beside, above and below. */
export function anyRequest({ users, rules, anonymous }: Settings): fc.Arbitrary<Request> {
  const prefixes = ["a", "a.b", ...rules.map(({ prefix }) => prefix), ...(anonymous?.prefixes ?? [])];
  const near = (changes: readonly ((name: string) => string)[]) =>
    fc.tuple(fc.constantFrom(...prefixes), fc.constantFrom(...changes)).map(([prefix, change]) => change(prefix));
  const repository = fc.oneof({ weight: 5, arbitrary: near(around) }, { weight: 1, arbitrary: near(spoiled) });

  const source = fc
    .tuple(repository, fc.constantFrom("/", "%2F", "%2f"))
    .map(([name, slash]) => name.replaceAll("/", slash));
  const mount = (spellings: readonly ((from: string, other: string) => string)[]) =>
    fc.tuple(fc.constantFrom(...spellings), source, source).map(([spell, from, other]) => spell(from, other));
  const upload = fc.tuple(repository, fc.oneof(mount(mounts), mount(spoiledMounts), fc.constantFrom(...queries)));

  const user = fc.constantFrom(undefined, ...users.map(({ name }) => name));
  const method = fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS");
  const about = fc.tuple(repository, fc.constantFrom(...kinds));
  return fc.oneof(
    fc.record({ user, method, target: about.map(([repository, kind]) => `/v2/${repository}/${kind}`) }),
    fc.record({
      user,
      method: fc.constant("POST"),
      target: upload.map(([repository, query]) => `/v2/${repository}/blobs/uploads/${query}`),
    }),
    fc.record({ user, method, target: fc.constantFrom(...elsewhere) }),
  );
}

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;

const elsewhere = [
  "/v2/",
  "/v2/?n=1",
  "/v2/_catalog",
  "/v2/_catalog?n=1",
  "/v2/_catalog/",
  "/v2",
  "/",
  "/v1/",
] as const;

const queries = [
  ...["", "?", `?mount=${digest}`, `?digest=${digest}`, "?digest-algorithm=sha512", "?n=1&last=a", "?x=%2B%7e&y="],
  ...[
    "?x",
    "?=x",
    "?x=1&",
    "?x=%00",
    "?x=%zz",
    "?x=1;y=2",
    "?x%79=1",
    "?x=1&MOUNT=y",
    `?mount=${digest}&mount=${digest}`,
  ],
] as const;

const kinds = [
  "tags/list",
  "tags/list?n=1",
  `tags/list?last=${"a".repeat(255)}`,
  `tags/list?last=${"a".repeat(256)}`,
  `tags/list?last=${"%2F".repeat(255)}&n=1`,
  "tags/list?l%61st=a",
  "tags/list?last=a%00",
  "tags/list/",
  "manifests/latest",
  `manifests/${digest}`,
  "manifests/a%2Fb",
  "manifests/",
  "manifests/a:b",
  "manifests/.a",
  `manifests/${"a".repeat(128)}`,
  `manifests/${"a".repeat(129)}`,
  `manifests/${digest.slice(0, -1)}`,
  `manifests/${digest}0`,
  `manifests/sha512:${"0".repeat(128)}`,
  `manifests/latest?digest=${digest}%0A`,
  `blobs/${digest}`,
  `blobs/${digest}?a=b`,
  `blobs/${digest}/`,
  `blobs/${digest.replace("a", "A")}`,
  `blobs/${digest.toUpperCase()}`,
  "blobs/sha512:AB",
  "blobs/a",
  "blobs/uploads",
  "blobs/uploads/",
  "blobs/uploads//",
  "blobs/uploads/3f-_=.a",
  "blobs/uploads/3f-_=.a?_state=a%2Fb",
  `blobs/uploads/${"a".repeat(255)}`,
  `blobs/uploads/${"a".repeat(256)}`,
  `referrers/${digest}`,
  "x",
] as const;

/** Names of repositories in, beside and above a prefix. */
const around = [
  (name: string) => name,
  (name: string) => name,
  (name: string) => `${name}/x`,
  (name: string) => `${name}/a.b/c`,
  (name: string) => `${name}x`,
  (name: string) => `${name}-x`,
  (name: string) => `x/${name}`,
  (name: string) => name.split("/").slice(0, -1).join("/") || "a",
  (name: string) => name.replace(/[._-]+/, "x"),
  (name: string) => name.replace("/", "x"),
  (name: string) => `${name}/${"x".repeat(254)}`.slice(0, 255),
] as const;

/** Not names, but a registry might take them for names. */
const spoiled = [
  (name: string) => name.replace(/[a-z]/, "%61"),
  (name: string) => name.toUpperCase(),
  (name: string) => name.replace("/", "//"),
  (name: string) => name.replace("/", "/./"),
  (name: string) => `${name}/x/..`,
  (name: string) => `${name}/`,
  (name: string) => `${name}%2Fx`,
  (name: string) => `${name}?`,
  (name: string) => `${name};`,
  (name: string) => `registry.example/${name}`,
  (name: string) => `registry.example:5043/${name}`,
  (name: string) => `/${name}`,
  (name: string) => `${name}/${"x".repeat(255)}`.slice(0, 256),
] as const;

const mounts = [
  (from: string) => `?from=${from}`,
  (from: string) => `?mount=${digest}&from=${from}`,
  (from: string) => `?from=${from}&mount=${digest.replace(":", "%3A")}`,
  (from: string) => `?from=${from}&mount=${digest.replace(":", "%3A")}&origin=registry.example%3A5043`,
  (from: string) => `?digest-algorithm=sha512&from=${from}&ns=a&mount=${digest}`,
  (from: string) => `?x=from=y&mount=${digest}&y=mount%3D&from=${from}&xfrom=y`,
] as const;

/** Not mounts, but a registry might take them for mounts. */
const spoiledMounts = [
  (from: string, other: string) => `?from=${from}&from=${other}`,
  (from: string) => `?From=${from}`,
  (from: string) => `?fr%6Fm=${from}`,
  (from: string) => `?mount=${digest};from=${from}`,
  (from: string) => `?mount=${digest}&from=${from}&mount=${digest}`,
  (from: string, other: string) => `?mount=${digest}&x=y&from=${from}&x=y&from=${other}`,
  (from: string) => `?from=${from}&mount=${digest}&mount=${digest}`,
  (from: string) => `?from=${from}&a`,
  (from: string) => `?from=${from}${"&a=".repeat(8)}`,
  (from: string) => `?from=${from}&a=%00`,
  (from: string) => `?a=b&FROM=${from}`,
  (from: string) => `?mount=${digest}&&from=${from}`,
] as const;
