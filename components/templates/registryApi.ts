/**
 * The registry's HTTP API as the proxy lets it through: canonical paths only. What the registry would take in a second
 * spelling (encoded, with an upper-case host before the name, with a doubled slash) is no path here, so that the
 * decision who may do it is about the very repository that the registry will open.
 */

/** What a user needs to be allowed to do. `check` is the question whether one is signed in. */
export type Action = "check" | "pull" | "push" | "delete" | "catalog";

/** Something that a request is about. */
export interface Resource {
  readonly name: string;
  /**
   * Regular expression of the request target, from its beginning to its end. Named groups: `repository`; `shard` and
   * `hex`, the digest of a blob as the registry files it; `mount_from`, as it is written, so perhaps with %2F.
   */
  readonly target: string;
  /** The methods that it has, and what each of them takes. */
  readonly actions: Readonly<Record<string, Action>>;
}

const component = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";

/** A repository's name: components of lower-case letters and digits, with single separators, divided by slashes. */
export const repositoryPattern = `${component}(?:/${component})*`;

const repository = `/v2/(?<repository>${repositoryPattern})`;
const query = "(?:\\?.*)?";
const digest = "[A-Za-z0-9+._-]+:[0-9A-Fa-f]+";

/** The registry reads the first `from` of any spelling, so there is one at most, spelled as clients do. */
const source = `from=(?<mount_from>${repositoryPattern.replaceAll("/", "(?:/|%2[Ff])")})`;
const mounted = `mount=${digest.replace(":", "(?::|%3[Aa])")}`;
const mount = `${mounted}|(?:${mounted}&)?${source}(?:&${mounted})?`;

export const resources: readonly Resource[] = [
  { name: "base", target: `/v2/${query}`, actions: { GET: "check", HEAD: "check" } },
  { name: "catalog", target: `/v2/_catalog${query}`, actions: { GET: "catalog" } },
  { name: "tags", target: `${repository}/tags/list${query}`, actions: { GET: "pull" } },
  {
    name: "manifest",
    target: `${repository}/manifests/[A-Za-z0-9_][A-Za-z0-9_.:+-]*${query}`,
    actions: { GET: "pull", HEAD: "pull", PUT: "push", DELETE: "delete" },
  },
  {
    name: "blob",
    target: `${repository}/blobs/(?:sha256:(?<shard>[0-9a-f]{2})(?<hex>[0-9a-f]{62})|${digest})${query}`,
    actions: { GET: "pull", HEAD: "pull", DELETE: "delete" },
  },
  {
    name: "uploads",
    target: `${repository}/blobs/uploads/(?:\\?(?:${mount}|digest=[^&;]*|digest-algorithm=[^&;]*)?)?`,
    actions: { POST: "push" },
  },
  {
    name: "upload",
    target: `${repository}/blobs/uploads/[A-Za-z0-9][A-Za-z0-9_.=-]*${query}`,
    actions: { GET: "push", HEAD: "push", PATCH: "push", PUT: "push", DELETE: "push" },
  },
  { name: "referrers", target: `${repository}/referrers/${digest}${query}`, actions: { GET: "pull" } },
];
