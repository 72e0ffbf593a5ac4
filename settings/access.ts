import type * as z from "zod/mini";

import type { Rule } from "../components/access.ts";
import { configCommand } from "../components/commands.ts";
import type { User } from "../components/credentials.ts";
import { isNot } from "./json.ts";
import { nearest, type Problems } from "./problems.ts";
import type { settings } from "./schema.ts";
import type { Some } from "./shape.ts";
import { setText } from "./text.ts";

/** Pulling without a password. It has its own endpoint, because clients send a password only when asked for one. */
export interface AnonymousPull {
  /** The TCP port that clients type, 1 to 65535. A change replaces the proxy container. */
  readonly port: number;
  /** The prefixes of the repositories that anybody may pull, as in a rule; at least one. */
  readonly prefixes: readonly string[];
}

type Given = Some<z.output<typeof settings>>;

/** Reads rules whose users all exist and whose prefixes are all different. */
export function readRules(given: NonNullable<Given["rules"]>, users: readonly User[], problems: Problems): Rule[] {
  const rules = given.map((rule, i): Rule => {
    const { prefix = "", pull, push } = rule ?? {};
    const path = `rules[${String(i)}]`;
    if (pull === undefined && push === undefined && !problems.has(path))
      problems.add(
        path,
        "names neither who may pull nor who may push",
        configCommand("set", `${path}.pull[0]`, "NAME"),
      );
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

/** @param check One more check of each user. */
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
    // While the users themselves are wrong, an unknown name may be a consequence.
    if (user === undefined && !problems.has("users"))
      problems.add(place, isNot(name, "the name of a user"), setText(place, nearest(name, known) ?? "NAME"));
    if (user !== undefined) check?.(user, place, problems);
    return name;
  });
}

function mayPush({ name, role }: User, place: string, problems: Problems): void {
  if (role === "reader")
    problems.add(
      place,
      `${JSON.stringify(name)} is a reader, and no rule lets a reader push`,
      configCommand("rm", place),
    );
}

/** The anonymous endpoint; undefined if it is not set or could not be read as a whole. */
export function readAnonymous(
  given: Given["anonymous"],
  port: number | undefined,
  problems: Problems,
): AnonymousPull | undefined {
  if (given?.port !== undefined && given.port === port) {
    const cure = configCommand("set", "anonymous.port", String(port === 65535 ? 5044 : port + 1));
    problems.add("anonymous.port", `${String(port)} is already the port for users who sign in`, cure);
  }
  return given === undefined || problems.has("anonymous.prefixes") || given.prefixes === undefined
    ? undefined
    : { port: given.port ?? 0, prefixes: given.prefixes.map((prefix = "") => prefix) };
}
