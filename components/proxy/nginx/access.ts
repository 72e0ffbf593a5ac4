import type { Role, Rule } from "../../access.ts";
import { resources } from "./registryApi.ts";
import { escapePattern, patternKey, plainKey, quoted, renderMap } from "./text.ts";

export interface Access {
  /** Who may use the registry. No name twice. */
  readonly users: readonly { readonly name: string; readonly role: Role }[];
  /** Every name in them is a user's; no prefix twice. */
  readonly rules: readonly Rule[];
  /** The prefixes of the repositories that anybody may pull, from the endpoint for that. */
  readonly openPrefixes: readonly string[];
}

/**
 * Who may do what, as `map` blocks: from a request and `$user`, who is signed in, to `$route`, the named location that
 * answers it. A map is looked up when its variable is first read. `$resource` is a part of each source that has
 * `$repository` or `$mount_from`, as looking it up is what sets these.
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
    // A mount from where the user may not pull becomes an upload like any other, as the API has it for one that fails.
    renderMap(quoted("$verdict:$action:$resource:$hex:$tag:$mount_from:$source_verdict"), "$route", [
      [patternKey("allowed:pull:blob:\\w+:.*"), "@blob"],
      [patternKey("allowed:pull:manifest:\\w+:.*"), "@manifest"],
      [patternKey("allowed:pull:manifest::[^:]+:.*"), "@tag"],
      [patternKey("allowed:push:uploads:::.+:denied"), "@upload"],
      [patternKey("allowed:.*"), "@registry"],
      [patternKey("denied:.*"), "@denied"],
      [patternKey("unsupported:.*"), "@unsupported"],
      ["default", "@unknown"],
    ]),
  ].join("\n");
}

/**
 * From a repository to the rule that it is under, the longest prefix first, and whether that rule lists the user for
 * what is done: `listed`, `unlisted`, or `free` where no rule says anything.
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

/** Regular expression of the repositories under a prefix; the slash may be encoded, as it is in a mount's query. */
function under(prefix: string): string {
  const slash = "(?:/|%2[Ff])";
  return `${prefix.split("/").map(escapePattern).join(slash)}(?:${slash}.*)?`;
}

/**
 * A map looks texts up ignoring case. Only names that then mean two users need a regular expression each, which is
 * slower and minds case.
 */
export function exactKeys(names: readonly string[]): (before: string, name: string) => string {
  const folded = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  const namesOf = new Map<string, number>();
  for (const name of names) namesOf.set(folded(name), (namesOf.get(folded(name)) ?? 0) + 1);
  return (before, name) =>
    namesOf.get(folded(name)) === 1 ? plainKey(before + name) : patternKey(escapePattern(before + name));
}
