import * as pulumi from "@pulumi/pulumi";
import type * as z from "zod/mini";

import { configCommand } from "../components/commands.ts";
import type { User } from "../components/credentials.ts";
import { quoted } from "./json.ts";
import type { Check } from "./kinds.ts";
import type { Problems } from "./problems.ts";
import type { settings } from "./schema.ts";
import type { Some } from "./shape.ts";

/** What a name must be, for the password file and for HTTP's basic authentication. */
export const userName: readonly Check[] = [
  { holds: (name) => name !== "", wrong: () => "is missing" },
  { holds: (name) => name !== "__proto__", wrong: () => '"__proto__" is no name that an object can have' },
  { holds: (name) => !/\p{Surrogate}/u.test(name), wrong: () => "is not well-formed Unicode" },
  { holds: hasNoControlCharacter, wrong: (name) => `${quoted(name)} has a control character` },
  {
    holds: (name) => !name.includes(":"),
    wrong: (name) => `"${name}" has a colon, which ends the name in HTTP's basic authentication`,
  },
  {
    holds: (name) => !name.startsWith("#"),
    wrong: (name) => `"${name}" begins with #, which makes its line in the password file a comment`,
  },
  { holds: (name) => Buffer.byteLength(name) <= 255, wrong: () => "is longer than 255 bytes" },
];

/** What a password must be. None is quoted. */
export const password: readonly Check[] = [
  {
    holds: hasNoControlCharacter,
    wrong: () => "has a control character, which HTTP's basic authentication can't carry",
  },
  {
    holds: (text) => Buffer.byteLength(text) <= 72,
    wrong: (text) => `has ${String(Buffer.byteLength(text))} bytes; bcrypt reads the first 72 only`,
  },
];

function hasNoControlCharacter(text: string): boolean {
  return !/\p{Cc}/u.test(text);
}

type Given = Some<z.output<typeof settings>["users"]>;

/** No name twice. Nobody needs to be an admin, but it is hardly meant. */
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
    const wrong = "none is an admin, so nobody may list the catalog or delete, and rules bind everybody";
    problems.warn("users", wrong, `if one should be: ${configCommand("set", "users[0].role", "admin")}`);
  }
  return users;
}
