/**
 * The part of the registry's HTTP API that the proxy forwards: canonical paths only. The registry also accepts other
 * spellings (encoded, with an upper-case host before the name, with a doubled slash). The proxy refuses them, so that
 * it checks permissions for exactly the repository that the registry will open. It also refuses paths at which the
 * registry would fail or answer in another format than the API's, such as the list of referrers, which the registry
 * lacks.
 */

/** The actions that need a permission. `check` only tests whether the user is signed in. */
export type Action = "check" | "pull" | "push" | "delete" | "catalog";

/** A kind of resource in the API. */
export interface Resource {
  readonly name: string;
  /**
   * Regular expression for the whole request target. Named groups: `repository`; `tag`; `shard` and `hex`, the parts of
   * a digest in the registry's file names; `mount_from`, as in the request, so possibly with %2F; `upload`, its id.
   */
  readonly target: string;
  /** Its methods, and the action that each requires. */
  readonly actions: Readonly<Record<string, Action>>;
}

const component = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";

/** A repository's name: components of lower-case letters and digits with single separators, joined by slashes. */
export const repositoryPattern = `${component}(?:/${component})*`;

/**
 * The repository at the beginning of a path, within the registry's length limit. Only the number of slashes in the rest
 * of the path shows where the name ends. A path has at most 600 characters, few enough for nginx.
 */
function inRepository(slashes: 2 | 3): string {
  const tooLong = `[^?]{256,}(?:/[^/?]*){${String(slashes)}}(?:\\?|$)|[^?]{600}`;
  return `/v2/(?!${tooLong})(?<repository>${repositoryPattern})`;
}
const repository = inRepository(2);

/** The digest that the registry uses in file names. */
const filedDigest = "sha256:(?<shard>[0-9a-f]{2})(?<hex>[0-9a-f]{62})";
/** Digests of the registry's other algorithms. It fails for a manifest with any other digest. */
const otherDigest = "sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}";
const tag = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";

/**
 * Queries are matched as a whole if possible: nginx has little memory for a pattern that repeats a group, and treats a
 * text that exceeds it as unknown. The registry fails at an encoded control character.
 */
const query = "(?:\\?(?!.*%[01]).*)?";
/** At most eight fields. No value can be read as two, and no encoded name as another name. */
const fields = "(?!.*(?:[;#]|%(?![2-9A-Fa-f][0-9A-Fa-f]))|(?:[^&]*&){8})";
const name = "[A-Za-z0-9._~-]+";

/** The registry uses the start of a list as a file name, whose length is limited. */
const shortFields = `${fields}(?!.*=(?:[^&%]|%..){256})`;
const listQuery = `(?:\\?${shortFields}(?:${name}=[^&]*(?:&${name}=[^&]*){0,7})?)?`;

/**
 * The registry reads the first `from` and the first `mount` in any spelling, so at most one of each is allowed, in the
 * spelling of clients. The registry ignores other fields.
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
    target: `${inRepository(3)}/blobs/uploads/(?<upload>[A-Za-z0-9][A-Za-z0-9_.=-]{0,254})${query}`,
    actions: { GET: "push", HEAD: "push", PATCH: "push", PUT: "push", DELETE: "push" },
  },
];
