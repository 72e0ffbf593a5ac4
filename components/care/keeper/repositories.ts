import { join } from "node:path";

import { foldersIn } from "./files.ts";
import { repositoriesFolder } from "./layout.ts";

/** The registry knows no longer names, and a symbolic link may lead in a circle. */
const longestName = 255;

/**
 * The name of every folder that is a repository, may become one while it is pushed to, or only leads to others.
 *
 * @param folders Lists the folders in a folder. Default: from the disk, each time.
 */
export function* repositoriesIn(root: string, folders = foldersIn, within = ""): Generator<string> {
  for (const name of folders(join(root, repositoriesFolder, within))) {
    const repository = within === "" ? name : `${within}/${name}`;
    if (name.startsWith("_") || repository.length > longestName) continue;
    yield repository;
    yield* repositoriesIn(root, folders, repository);
  }
}
