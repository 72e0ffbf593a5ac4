import * as pulumi from "@pulumi/pulumi";
import type * as z from "zod/mini";

import { configCommand } from "../components/commands.ts";
import type { User } from "../components/credentials.ts";
import { quoted } from "./json.ts";
import type { Check } from "./kinds.ts";
import type { Problems } from "./problems.ts";
import type { settings } from "./schema.ts";
import type { Some } from "./shape.ts";

/** The limits on a name: those of the password file and of HTTP basic authentication. */
export const userName: readonly Check[] = [
  { holds: (name) => name !== "", wrong: () => "is missing" },
  { holds: (name) => name !== "__proto__", wrong: () => '"__proto__" can\'t be used as a user name' },
  { holds: (name) => !/\p{Surrogate}/u.test(name), wrong: () => "is not well-formed Unicode" },
  { holds: hasNoControlCharacter, wrong: (name) => `${quoted(name)} has a control character` },
  {
    holds: (name) => !name.includes(":"),
    wrong: (name) => `"${name}" has a colon, which ends the name in HTTP basic authentication`,
  },
  {
    holds: (name) => !name.startsWith("#"),
    wrong: (name) => `"${name}" begins with #, which would make its line in the password file a comment`,
  },
  { holds: (name) => Buffer.byteLength(name) <= 255, wrong: () => "is longer than 255 bytes" },
];

/** The limits on a password. No message quotes one. */
export const password: readonly Check[] = [
  {
    holds: hasNoControlCharacter,
    wrong: () => "has a control character, which HTTP basic authentication can't carry",
  },
  {
    holds: (text) => Buffer.byteLength(text) <= 72,
    wrong: (text) => `has ${String(Buffer.byteLength(text))} bytes; bcrypt uses only the first 72`,
  },
];

function hasNoControlCharacter(text: string): boolean {
  return !/\p{Cc}/u.test(text);
}

type Given = Some<z.output<typeof settings>["users"]>;

/** Reads users whose names are all different. A list without an admin is valid, but probably not intended. */
export function readUsers(given: Given, problems: Problems): User[] {
  const users = given.map((user): User => {
    const { name = "", role = "writer", password } = user ?? {};
    return password === undefined ? { name, role } : { name, role, password: pulumi.secret(password) };
  });
  problems.addRepeated(
    "users",
    "name",
    users.map(({ name }) => name),
  );
  if (!problems.has("users") && !users.some(({ role }) => role === "admin")) {
    const wrong = "nobody is an admin, so nobody may list the catalog or delete, and rules apply to everybody";
    problems.warn("users", wrong, `to make the first user an admin: ${configCommand("set", "users[0].role", "admin")}`);
  }
  return users;
}
