/** What a user may do if no rule restricts it. Each role includes the one before it. */
export const roles = ["reader", "writer", "admin"] as const;

/** `reader` pulls, `writer` also pushes, `admin` also lists the catalog and, if deletion is on, deletes. */
export type Role = (typeof roles)[number];

/**
 * Restricts who may use the repositories under a prefix. A rule gives nobody more than their role allows, and doesn't
 * apply to an admin. If several rules match, only the one with the longest prefix applies.
 */
export interface Rule {
  /** Whole components of a repository's name: `team/app` matches `team/app` and `team/app/web`, not `team/apple`. */
  readonly prefix: string;
  /** Names of users. Default: everybody. Users listed in `push` may pull as well. */
  readonly pull?: readonly string[] | undefined;
  /** Names of users. Default: those who may pull, if their role allows it. */
  readonly push?: readonly string[] | undefined;
}
