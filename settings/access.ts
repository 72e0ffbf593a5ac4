import type { Rule } from "../components/access.ts";
import { configCommand } from "../components/commands.ts";
import type { User } from "../components/credentials.ts";
import { repositoryPattern } from "../components/proxy/nginx/registryApi.ts";
import { isNot, isRecord, readJson } from "./json.ts";
import { nearest, type Problems } from "./problems.ts";
import { parseText, setText } from "./text.ts";

/** Pulling without a password, from an endpoint of its own, as clients send a password only where they are asked for one. */
export interface AnonymousPull {
  /** The TCP port that clients type, 1 to 65535. A change replaces the proxy container. */
  readonly port: number;
  /** The repositories that anybody may pull, by prefixes as a rule has them; at least one. */
  readonly prefixes: readonly string[];
}

/** Rules about users that there are; no prefix twice. */
export function parseRules(json: string | undefined, users: readonly User[], problems: Problems): Rule[] {
  const list = json === undefined ? [] : readJson(json);
  if (!Array.isArray(list)) {
    problems.add("rules", "is not a list", configCommand("set", "rules[0].prefix", "team/app"));
    return [];
  }
  const rules = list.map((entry: unknown, i) => parseRule(entry, `rules[${String(i)}]`, users, problems));
  problems.addRepeated(
    "rules",
    "prefix",
    rules.map(({ prefix }) => prefix),
  );
  return rules;
}

function parseRule(entry: unknown, path: string, users: readonly User[], problems: Problems): Rule {
  if (!isRecord(entry)) {
    problems.add(path, "is not an object with a prefix", configCommand("set", `${path}.prefix`, "team/app"));
    return { prefix: "" };
  }
  for (const key of Object.keys(entry)) problems.addUnknownKey(`${path}.`, key, ["prefix", "pull", "push"]);
  const prefix = parsePrefix(entry["prefix"], `${path}.prefix`, problems);
  const pull = parseNames(entry["pull"], `${path}.pull`, users, problems);
  const push = parseNames(entry["push"], `${path}.push`, users, problems);
  if (pull === undefined && push === undefined) {
    problems.add(path, "says neither who may pull nor who may push", configCommand("set", `${path}.pull[0]`, "NAME"));
  }
  for (const [i, name] of push?.entries() ?? []) {
    if (users.find((user) => user.name === name)?.role !== "reader") continue;
    const wrong = `${JSON.stringify(name)} is a reader, whom no rule lets push`;
    problems.add(`${path}.push[${String(i)}]`, wrong, configCommand("rm", `${path}.push[${String(i)}]`));
  }
  return { prefix, pull, push };
}

/** Names of users, where there is a list. */
function parseNames(
  value: unknown,
  path: string,
  users: readonly User[],
  problems: Problems,
): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) return problems.add(path, "is not a list of user names", configCommand("rm", path));
  const what = "the name of a user";
  const known = users.map(({ name }) => name);
  return (value as unknown[]).flatMap((entry, i) => {
    const place = `${path}[${String(i)}]`;
    const name = parseText(entry, { path: place, what, example: "NAME" }, problems);
    if (name === undefined) return [];
    // Who is meant can't be said while the users themselves are wrong.
    if (!known.includes(name) && !problems.has("users"))
      problems.add(place, isNot(name, what), setText(place, nearest(name, known) ?? "NAME"));
    return [name];
  });
}

/** Where anybody may pull what. */
export function parseAnonymous(
  json: string | undefined,
  port: number | undefined,
  problems: Problems,
): AnonymousPull | undefined {
  if (json === undefined) return undefined;
  const value = readJson(json);
  if (!isRecord(value)) {
    return problems.add("anonymous", "is not an object", configCommand("set", "anonymous.port", "5044"));
  }
  for (const key of Object.keys(value)) problems.addUnknownKey("anonymous.", key, ["port", "prefixes"]);
  const own = parsePort(value["port"], "anonymous.port", 5044, problems);
  if (own !== undefined && own === port) {
    const cure = configCommand("set", "anonymous.port", String(port === 65535 ? 5044 : port + 1));
    problems.add("anonymous.port", `${String(own)} is the port of those who sign in`, cure);
  }
  const { prefixes } = value;
  if (!Array.isArray(prefixes) || prefixes.length === 0) {
    return problems.add(
      "anonymous.prefixes",
      "is not a list of at least one prefix",
      configCommand("set", "anonymous.prefixes[0]", "public"),
    );
  }
  return {
    port: own ?? 0,
    prefixes: prefixes.map((prefix: unknown, i) => parsePrefix(prefix, `anonymous.prefixes[${String(i)}]`, problems)),
  };
}

/** A TCP port; Pulumi hands over a number or its text. */
export function parsePort(value: unknown, path: string, usual: number, problems: Problems): number | undefined {
  const port = Number(value);
  if (/^\d+$/.test(String(value)) && port >= 1 && port <= 65535) return port;
  return problems.add(path, isNot(value, "a whole number from 1 to 65535"), configCommand("set", path, String(usual)));
}

function parsePrefix(value: unknown, path: string, problems: Problems): string {
  const what = "the name of a repository or the first components of one";
  const prefix = parseText(value, { path, what, example: "team/app" }, problems);
  if (prefix === undefined || (new RegExp(`^${repositoryPattern}$`).test(prefix) && prefix.length <= 255))
    return prefix ?? "";
  const wrong = `${isNot(prefix, what)}: lower-case letters, digits, single separators`;
  problems.add(path, wrong, configCommand("set", path, "team/app"));
  return "";
}
