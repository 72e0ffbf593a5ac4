import { readFileSync } from "node:fs";

import { CommandFailed, outputOf } from "./processes.ts";
import type { Stack } from "./stack.ts";

/** Removes uploads that nobody will finish: see bootstrap/remove-uploads.sh. */
export function removeUploads(stack: Stack): void {
  try {
    const registry = `${stack.fullName}-registry`;
    const listed = outputOf("docker", [
      "ps",
      "--all",
      "--filter",
      `name=^/${registry}$`,
      "--format",
      "{{.State}}",
    ]).trim();
    // Before the container is replaced and its log is gone.
    if (listed === "exited") outputOf("docker", ["start", registry]);
    else if (listed !== "running") return;
    const script = readFileSync("bootstrap/remove-uploads.sh", "utf8");
    outputOf("docker", ["exec", "-i", registry, "sh", "-s", "--", ...failedUploads(registry)], script);
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
  return [...new Set([...failed.matchAll(/"vars\.uuid":"([0-9a-f-]+)"/g)].map(([, id = ""]) => id))];
}
