import { readFileSync } from "node:fs";

import { containersIn } from "./containers.ts";
import { CommandFailed, outputOf } from "./processes.ts";
import type { Stack } from "./stack.ts";

/** Removes uploads that nobody will finish: see bootstrap/remove-uploads.sh. */
export function removeUploads(stack: Stack): void {
  try {
    const registries = containersIn("registry", stack);
    const usable =
      registries.find(({ state }) => state === "running") ?? registries.find(({ state }) => state === "exited");
    if (usable === undefined) return;
    // Before the containers are replaced and their logs are gone.
    const failed = new Set(registries.flatMap(({ id }) => failedUploads(id)));
    if (usable.state === "exited") outputOf("docker", ["start", usable.id]);
    const script = readFileSync("bootstrap/remove-uploads.sh", "utf8");
    outputOf("docker", ["exec", "-i", usable.id, "sh", "-s", "--", ...failed], script);
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    console.error("▸ Unfinished uploads could not be removed");
  }
}

/** The uploads that failed in the registry, by its log. One that its client left has another status: it may resume. */
function failedUploads(registry: string): string[] {
  // A log can be long: only the matching lines are read.
  const search = `docker logs --since 1h "$1" 2>&1 | grep '"http.response.status":5' || true`;
  const failed = outputOf("sh", ["-c", search, "-", registry]);
  return Array.from(failed.matchAll(/"vars\.uuid":"([0-9a-f-]+)"/g), ([, id = ""]) => id);
}
