import type * as z from "zod/mini";

import type { Rule } from "../components/access.ts";
import { configCommand } from "../components/commands.ts";
import type { User } from "../components/credentials.ts";
import { isNot } from "./json.ts";
import { nearest, type Problems } from "./problems.ts";
import type { settings } from "./schema.ts";
import type { Some } from "./shape.ts";
import { setText } from "./text.ts";

/** Pulling without a password, from an endpoint of its own, as clients send a password only where they are asked for one. */
export interface AnonymousPull {
  /** The TCP port that clients type, 1 to 65535. A change replaces the proxy container. */
  readonly port: number;
  /** The repositories that anybody may pull, by prefixes as a rule has them; at least one. */
  readonly prefixes: readonly string[];
}

type Given = Some<z.output<typeof settings>>;

/** Rules about users that exist; no prefix twice. */
export function readRules(given: NonNullable<Given["rules"]>, users: readonly User[], problems: Problems): Rule[] {
  const rules = given.map((rule, i): Rule => {
    const { prefix = "", pull, push } = rule ?? {};
    const path = `rules[${String(i)}]`;
    if (pull === undefined && push === undefined && !problems.has(path))
      problems.add(path, "says neither who may pull nor who may push", configCommand("set", `${path}.pull[0]`, "NAME"));
    return {
      prefix,
      pull: readNames(pull, `${path}.pull`, users, problems),
      push: readNames(push, `${path}.push`, users, problems, mayPush),
    };
  });
  problems.addRepeated(
    "rules",
    "prefix",
    rules.map(({ prefix }) => prefix),
  );
  return rules;
}

type Names = readonly (string | undefined)[];

/** @param check What else must be so for a user who is named. */
function readNames(
  names: Names | undefined,
  path: string,
  users: readonly User[],
  problems: Problems,
  check?: (user: User, place: string, problems: Problems) => void,
): string[] | undefined {
  const known = users.map(({ name }) => name);
  return names?.map((name = "", i) => {
    const place = `${path}[${String(i)}]`;
    const user = users.find((each) => each.name === name);
    // Who is meant can't be said while the users themselves are wrong.
    if (user === undefined && !problems.has("users"))
      problems.add(place, isNot(name, "the name of a user"), setText(place, nearest(name, known) ?? "NAME"));
    if (user !== undefined) check?.(user, place, problems);
    return name;
  });
}

function mayPush({ name, role }: User, place: string, problems: Problems): void {
  if (role === "reader")
    problems.add(place, `${JSON.stringify(name)} is a reader, whom no rule lets push`, configCommand("rm", place));
}

/** Where anybody may pull what; undefined where not all of it could be read. */
export function readAnonymous(
  given: Given["anonymous"],
  port: number | undefined,
  problems: Problems,
): AnonymousPull | undefined {
  if (given?.port !== undefined && given.port === port) {
    const cure = configCommand("set", "anonymous.port", String(port === 65535 ? 5044 : port + 1));
    problems.add("anonymous.port", `${String(port)} is the port of those who sign in`, cure);
  }
  return given === undefined || problems.has("anonymous.prefixes") || given.prefixes === undefined
    ? undefined
    : { port: given.port ?? 0, prefixes: given.prefixes.map((prefix = "") => prefix) };
}
