/** Times of a collection, in seconds. */

/** How long what nothing needs is left where it is: longer than any push takes. */
export const grace = { default: 24 * 3600, least: 3600 } as const;

/** How long what went can be put back. */
export const undo = { default: 24 * 3600 } as const;

/** How long the keeper watches for what comes to need a blob that it has just taken away. */
export const settle = { default: 5 } as const;

/**
 * The grace of a collection that somebody waits for: a quarter of an hour, or twice what the longest upload under way
 * has taken so far.
 */
export function shortGrace(longestUpload: number): number {
  return Math.max(15 * 60, Math.ceil(2 * longestUpload));
}
