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
