import { join } from "node:path";

import { namesIn, statOf } from "./files.ts";
import { repositoriesFolder } from "./layout.ts";
import { repositoriesIn } from "./repositories.ts";

/** An upload that nobody has written to for that long is abandoned, in milliseconds. */
const abandoned = 3600_000;

/** How long the longest upload under way has taken so far, in seconds. */
export function longestUpload(root: string, now: number): number {
  let longest = 0;
  for (const repository of repositoriesIn(root)) {
    const uploads = join(root, repositoriesFolder, repository, "_uploads");
    for (const id of namesIn(uploads)) {
      const began = statOf(join(uploads, id, "startedat"))?.mtimeMs;
      const written = statOf(join(uploads, id, "data"))?.mtimeMs ?? began;
      if (began === undefined || written === undefined || now - written > abandoned) continue;
      longest = Math.max(longest, (now - began) / 1000);
    }
  }
  return longest;
}
