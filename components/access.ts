/** What a user may do where no rule says otherwise. Each role may do what the one before it may. */
export const roles = ["reader", "writer", "admin"] as const;

/** `reader` pulls, `writer` also pushes, `admin` also lists the catalog and, where deletion is on, deletes. */
export type Role = (typeof roles)[number];

/**
 * Narrows down who may use the repositories under a prefix. A rule gives nobody more than their role does, and doesn't
 * bind an admin. Of several rules the one with the longest prefix holds, alone.
 */
export interface Rule {
  /** Whole components of a repository's name: `team/app` is about `team/app` and `team/app/web`, not `team/apple`. */
  readonly prefix: string;
  /** Names of users. Default: everybody. Who is listed to push may pull as well. */
  readonly pull?: readonly string[] | undefined;
  /** Names of users. Default: those who may pull, as far as their role allows. */
  readonly push?: readonly string[] | undefined;
}

/**
 * Pulling without signing in, from an endpoint of its own, as clients send a password only where it is asked for. A rule
 * about who may pull keeps everybody else out of this endpoint too.
 */
export interface AnonymousPull {
  /** The TCP port that clients type, 1 to 65535. A change replaces the proxy container. */
  readonly port: number;
  /** The repositories that anybody may pull, by prefixes as a rule has them; at least one. */
  readonly prefixes: readonly string[];
}
