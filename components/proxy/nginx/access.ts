import type { Role, Rule } from "../../access.ts";
import { resources } from "./registryApi.ts";
import { escapePattern, patternKey, plainKey, quoted, renderMap } from "./text.ts";

export interface Access {
  /** Who may use the registry. All names are different. */
  readonly users: readonly { readonly name: string; readonly role: Role }[];
  /** Every name in them is that of a user; all prefixes are different. */
  readonly rules: readonly Rule[];
  /** The prefixes of the repositories that anybody may pull at the anonymous endpoint. */
  readonly openPrefixes: readonly string[];
}

/**
 * Who may do what, as `map` blocks: from a request and `$user`, the signed-in user, to `$route`, the named location
 * that answers. nginx evaluates a map when its variable is first read. `$resource` is part of every source that
 * contains `$repository` or `$mount_from`, because evaluating `$resource` sets these.
 */
export function renderAccess({ users, rules, openPrefixes }: Access): string {
  const keyOf = exactKeys(users.map(({ name }) => name));
  return [
    renderMap(
      "$request_uri",
      "$resource",
      resources.map(({ name, target }) => [patternKey(target), name]),
    ),
    renderMap(
      quoted("$request_method $resource"),
      "$action",
      resources.flatMap(({ name, actions }) =>
        Object.entries(actions).map(([method, action]) => [plainKey(`${method} ${name}`), action] as const),
      ),
    ),
    renderMap(
      quoted("$status $resource"),
      "$allowed_methods",
      resources.map(({ name, actions }) => [plainKey(`405 ${name}`), quoted(Object.keys(actions).join(", "))]),
    ),
    renderMap("$user", "$role", [
      ...users.map(({ name, role }) => [keyOf("", name), role] as const),
      ["default", "anonymous"],
    ]),
    renderMap(
      quoted("$resource $repository"),
      "$open",
      openPrefixes.map((prefix) => [patternKey(`\\w+ ${under(prefix)}`), "open"]),
    ),
    ...renderRules("$repository", "", rules, keyOf),
    ...renderRules("$mount_from", "source_", rules, keyOf),
    renderMap(quoted("$resource:$action:$role:$listed:$open"), "$verdict", [
      [patternKey(":.*"), "unknown"],
      [patternKey("\\w+::.*"), "unsupported"],
      [patternKey("\\w+:\\w+:admin:.*"), "allowed"],
      [patternKey("\\w+:check:.*"), "allowed"],
      [patternKey("\\w+:pull:(?:reader|writer):(?:free|listed):.*"), "allowed"],
      [patternKey("\\w+:push:writer:(?:free|listed):.*"), "allowed"],
      [patternKey("\\w+:pull:anonymous:free:open"), "allowed"],
      ["default", "denied"],
    ]),
    renderMap(quoted("$role:$source_listed"), "$source_verdict", [
      [patternKey("admin:.*|\\w+:(?:free|listed)"), "allowed"],
      ["default", "denied"],
    ]),
    renderMap("$request_method", "$blob_route", [
      [plainKey("HEAD"), "@sought"],
      ["default", "@blob"],
    ]),
    // A mount from a repository that the user may not pull becomes a normal upload: so the API treats a failed mount.
    renderMap(quoted("$verdict:$action:$resource:$hex:$tag:$mount_from:$source_verdict"), "$route", [
      [patternKey("allowed:pull:blob:\\w+:.*"), "$blob_route"],
      [patternKey("allowed:pull:manifest:\\w+:.*"), "@manifest"],
      [patternKey("allowed:pull:manifest::[^:]+:.*"), "@tag"],
      [patternKey("allowed:push:uploads:::.+:denied"), "@upload"],
      [patternKey("allowed:push:uploads:::.+:allowed"), "@mount"],
      [patternKey("allowed:.*"), "@registry"],
      [patternKey("denied:.*"), "@denied"],
      [patternKey("unsupported:.*"), "@unsupported"],
      ["default", "@unknown"],
    ]),
  ].join("\n");
}

/**
 * Maps a repository to its rule, longest prefix first, and to whether that rule lists the user for the action:
 * `listed`, `unlisted`, or `free` without a rule.
 */
function renderRules(
  repository: "$repository" | "$mount_from",
  name: "" | "source_",
  rules: readonly Rule[],
  keyOf: ReturnType<typeof exactKeys>,
): string[] {
  const lists = rules.flatMap(({ prefix, pull, push = pull }) => [
    ...(pull && push ? [{ on: `${prefix} pull`, users: new Set([...pull, ...push]) }] : []),
    ...(push ? [{ on: `${prefix} push`, users: new Set(push) }] : []),
  ]);
  const action = name === "" ? "$action" : "pull";
  return [
    renderMap(
      quoted(`$resource ${repository}`),
      `$${name}rule`,
      rules
        .map(({ prefix }) => prefix)
        .sort((a, b) => b.length - a.length)
        .map((prefix) => [patternKey(`\\w+ ${under(prefix)}`), prefix]),
    ),
    renderMap(quoted(`$${name}rule ${action} $user`), `$${name}listed`, [
      ...lists.flatMap(({ on, users }) => [...users].map((user) => [keyOf(`${on} `, user), "listed"] as const)),
      ...lists.map(({ on }) => [patternKey(`${escapePattern(on)} .*`), "unlisted"] as const),
      ["default", "free"],
    ]),
  ];
}

/** Regular expression for the repositories under a prefix. The slash may be encoded, as in the query of a mount. */
function under(prefix: string): string {
  const slash = "(?:/|%2[Ff])";
  return `${prefix.split("/").map(escapePattern).join(slash)}(?:${slash}.*)?`;
}

/**
 * A map ignores case. Names that differ only in case need a regular expression each, which is slower and respects case.
 */
export function exactKeys(names: readonly string[]): (before: string, name: string) => string {
  const folded = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  const namesOf = new Map<string, number>();
  for (const name of names) namesOf.set(folded(name), (namesOf.get(folded(name)) ?? 0) + 1);
  return (before, name) =>
    namesOf.get(folded(name)) === 1 ? plainKey(before + name) : patternKey(escapePattern(before + name));
}
