import * as pulumi from "@pulumi/pulumi";

import { type Role, roles } from "../components/access.ts";
import { configCommand } from "../components/commands.ts";
import type { User } from "../components/credentials.ts";
import { isNot, isRecord, readJson } from "./json.ts";
import type { Problems } from "./problems.ts";
import { parseSecret, parseText } from "./text.ts";

const defaultRole: Role = "writer";

/** At least one user, no name twice. */
export function parseUsers(json: string | undefined, problems: Problems): User[] {
  const list = json === undefined ? [{ name: "admin", role: "admin" }] : readJson(json);
  if (!Array.isArray(list) || list.length === 0) {
    const cure = `${configCommand("set", "users[0].name", "admin")} && ${configCommand("set", "users[0].role", "admin")}`;
    problems.add("users", "is not a list of at least one user", cure);
    return [];
  }
  const users = list.map((entry: unknown, i) => parseUser(entry, `users[${String(i)}]`, problems));
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

function parseUser(entry: unknown, path: string, problems: Problems): User {
  if (!isRecord(entry)) {
    problems.add(path, "is not an object with a name", configCommand("set", `${path}.name`, "NAME"));
    return { name: "", role: defaultRole };
  }
  for (const key of Object.keys(entry)) problems.addUnknownKey(`${path}.`, key, ["name", "role", "password"]);
  const name = parseUserName(entry["name"], `${path}.name`, problems);
  const role = parseRole(entry["role"], `${path}.role`, problems);
  return "password" in entry
    ? { name, role, password: parsePassword(entry["password"], `${path}.password`, problems) }
    : { name, role };
}

function parseRole(value: unknown, path: string, problems: Problems): Role {
  const role = value === undefined ? defaultRole : roles.find((known) => known === value);
  if (role === undefined) {
    const wrong = `${isNot(value, "a role")}; there are: ${roles.join(", ")}`;
    problems.add(path, wrong, configCommand("set", path, defaultRole));
  }
  return role ?? defaultRole;
}

function parseUserName(value: unknown, path: string, problems: Problems): string {
  const name = parseText(value, { path, what: "a name", example: "NAME" }, problems) ?? "";
  const cure = configCommand("set", path, "NAME");
  if (name === "") problems.add(path, "is missing", cure);
  else if (name === "__proto__") problems.add(path, '"__proto__" is no name that an object can have', cure);
  else if (/\p{Surrogate}/u.test(name)) problems.add(path, "is not well-formed Unicode", cure);
  else if (hasControlCharacter(name)) problems.add(path, `${JSON.stringify(name)} has a control character`, cure);
  else if (name.includes(":"))
    problems.add(path, `"${name}" has a colon, which ends the name in HTTP's basic authentication`, cure);
  else if (name.startsWith("#"))
    problems.add(path, `"${name}" begins with #, which makes its line in the password file a comment`, cure);
  else if (Buffer.byteLength(name) > 255) problems.add(path, "is longer than 255 bytes", cure);
  return name;
}

/** Never quoted in a problem: it is a secret. */
function parsePassword(value: unknown, path: string, problems: Problems): pulumi.Output<string> {
  const cure = configCommand("set --secret", path);
  if (value === "" || value === null) {
    problems.add(path, "is empty", `${cure}, or leave it out to have one generated: ${configCommand("rm", path)}`);
    return pulumi.secret("");
  }
  const password = parseSecret(value, { path, what: "a password" }, problems) ?? "";
  if (hasControlCharacter(password)) {
    problems.add(path, "has a control character, which HTTP's basic authentication can't carry", cure);
  } else if (Buffer.byteLength(password) > 72) {
    problems.add(path, `has ${String(Buffer.byteLength(password))} bytes; bcrypt reads the first 72 only`, cure);
  }
  return pulumi.secret(password);
}

function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text);
}
