import * as pulumi from "@pulumi/pulumi";
import type * as z from "zod/mini";

import { configCommand } from "../components/commands.ts";
import type { User } from "../components/credentials.ts";
import type { Problems } from "./problems.ts";
import type { settings } from "./schema.ts";
import type { Some } from "./shape.ts";

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
