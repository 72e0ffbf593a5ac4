/**
 * The registry's HTTP API as the proxy lets it through: canonical paths only. What the registry would take in a second
 * spelling (encoded, with an upper-case host before the name, with a doubled slash) is no path here, so that the
 * decision who may do it is about the very repository that the registry will open. What it would fail at, or answer in
 * other words than the API's, is no path either: it has no list of referrers, for one, and says so in plain text.
 */

/** What a user needs to be allowed to do. `check` is the question whether one is signed in. */
export type Action = "check" | "pull" | "push" | "delete" | "catalog";

/** Something that a request is about. */
export interface Resource {
  readonly name: string;
  /**
   * Regular expression of the request target, from its beginning to its end. Named groups: `repository`; `tag`;
   * `shard` and `hex`, the digest of a manifest or a blob as the registry files it; `mount_from`, as it is written, so perhaps with %2F.
   */
  readonly target: string;
  /** The methods that it has, and what each of them takes. */
  readonly actions: Readonly<Record<string, Action>>;
}

const component = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";

/** A repository's name: components of lower-case letters and digits, with single separators, divided by slashes. */
export const repositoryPattern = `${component}(?:/${component})*`;

/**
 * The repository at the beginning of a path, no longer than the registry takes. Of what comes after it, only the number
 * of slashes tells where it ends. No path is longer than 600 characters, which are few enough for nginx.
 */
function inRepository(slashes: 2 | 3): string {
  const tooLong = `[^?]{256,}(?:/[^/?]*){${String(slashes)}}(?:\\?|$)|[^?]{600}`;
  return `/v2/(?!${tooLong})(?<repository>${repositoryPattern})`;
}
const repository = inRepository(2);

/** The one that the registry files things by. */
const filedDigest = "sha256:(?<shard>[0-9a-f]{2})(?<hex>[0-9a-f]{62})";
/** Those of the registry's other algorithms: for a manifest under any other digest, it fails. */
const otherDigest = "sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}";
const tag = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";

/**
 * Queries are looked at as wholes where they can be: nginx has little room for a pattern that repeats a group, and takes a
 * text for which it doesn't suffice for an unknown one. An encoded control character makes the registry fail.
 */
const query = "(?:\\?(?!.*%[01]).*)?";
/** Eight at most, none of whose values could be two. No encoding of such a name could be another. */
const fields = "(?!.*(?:[;#]|%(?![2-9A-Fa-f][0-9A-Fa-f]))|(?:[^&]*&){8})";
const name = "[A-Za-z0-9._~-]+";

/** Where a list begins is a file to the registry, whose name may have so many characters. */
const shortFields = `${fields}(?!.*=(?:[^&%]|%..){256})`;
const listQuery = `(?:\\?${shortFields}(?:${name}=[^&]*(?:&${name}=[^&]*){0,7})?)?`;

/**
 * The registry reads the first `from` and the first `mount` of any spelling, so there is one of each at most, spelled as
 * clients do. What else they add means nothing to it.
 */
const source = `from=(?<mount_from>(?!(?:[^&%]|%..){256})${repositoryPattern.replaceAll("/", "(?:/|%2[Ff])")})`;
const mounted = "mount=[A-Za-z0-9+._-]+(?::|%3[Aa])[0-9A-Fa-f]+";
const other = `(?!(?:[Ff][Rr][Oo][Mm]|[Mm][Oo][Uu][Nn][Tt])=)${name}=[^&]*`;
const field = `(?:${mounted}|${other})`;
const mountedTwice = "(?:.*&)?mount=.*&mount=";
const withSource = `(?:${field}&){0,7}${source}(?:&${field}){0,7}`;
const uploadQuery = `${fields}(?!${mountedTwice})(?:${withSource}|${field}(?:&${field}){0,7})?`;

export const resources: readonly Resource[] = [
  { name: "base", target: `/v2/${query}`, actions: { GET: "check", HEAD: "check" } },
  { name: "catalog", target: `/v2/_catalog${listQuery}`, actions: { GET: "catalog" } },
  { name: "tags", target: `${repository}/tags/list${listQuery}`, actions: { GET: "pull" } },
  {
    name: "manifest",
    target: `${repository}/manifests/(?:(?<tag>${tag})|${filedDigest}|${otherDigest})${query}`,
    actions: { GET: "pull", HEAD: "pull", PUT: "push", DELETE: "delete" },
  },
  {
    name: "blob",
    target: `${repository}/blobs/(?:${filedDigest}|${otherDigest})${query}`,
    actions: { GET: "pull", HEAD: "pull", DELETE: "delete" },
  },
  {
    name: "uploads",
    target: `${inRepository(3)}/blobs/uploads/(?:\\?${uploadQuery})?`,
    actions: { POST: "push" },
  },
  {
    name: "upload",
    target: `${inRepository(3)}/blobs/uploads/[A-Za-z0-9][A-Za-z0-9_.=-]{0,254}${query}`,
    actions: { GET: "push", HEAD: "push", PATCH: "push", PUT: "push", DELETE: "push" },
  },
];
