import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import bcrypt from "bcryptjs";

import type { Role } from "./access.ts";

/** A person or program that may use the registry. */
export interface User {
  /** The user name, exactly as typed: no colon, no control character, no leading `#`. */
  readonly name: string;
  /** What the user may do, unless a rule restricts it. */
  readonly role: Role;
  /** Secret, 1 to 72 bytes of UTF-8. Default: a generated one, kept in the state. */
  readonly password?: pulumi.Output<string> | undefined;
}

export interface CredentialsArgs {
  /** At least one; all names are different. */
  readonly users: readonly User[];
}

/** The cost of bcrypt: 2^10 rounds, about 60 ms of CPU time for each guess. */
const cost = 10;

/** The users, their passwords and the hashes of these. */
export class Credentials extends pulumi.ComponentResource {
  /** Secret: the password of each user, by name. */
  readonly passwords: pulumi.Output<Record<string, string>>;
  /** Secret: the bcrypt hash of each password, by name. The same on every run, as the salts are in the state. */
  readonly hashes: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: CredentialsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:Credentials", name, {}, opts);

    const entries = args.users.map((user) => {
      const password = user.password ?? this.generatePassword(`${name}-${user.name}`);
      // Not RandomBytes, whose id is its value in clear text. 22 characters of bcrypt's alphabet are 16 bytes.
      const salt = new random.RandomPassword(
        `${name}-${user.name}-salt`,
        { length: 22, special: false },
        { parent: this },
      );
      const hash = pulumi
        .all([password, salt.result])
        .apply(([clear, characters]) => bcrypt.hashSync(clear, `$2y$${String(cost)}$${characters}`));
      return { name: user.name, password, hash };
    });

    this.passwords = pulumi.secret(Object.fromEntries(entries.map(({ name, password }) => [name, password])));
    this.hashes = pulumi.secret(Object.fromEntries(entries.map(({ name, hash }) => [name, hash])));

    this.registerOutputs({});
  }

  private generatePassword(name: string): pulumi.Output<string> {
    // Letters and digits only: safe to paste into any shell, and 32 of them are 190 bits.
    return new random.RandomPassword(`${name}-password`, { length: 32, special: false }, { parent: this }).result;
  }
}
