import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { cached } from "./cache.ts";
import { run } from "./run.ts";

/**
 * The folder of the programs that the Go module in test/NAME names as its tools. They are built unless the cache has
 * them from just these modules.
 */
export function goTools(name: string): Promise<string> {
  const module = join(process.cwd(), "test", name);
  const hash = createHash("sha256");
  for (const file of ["go.mod", "go.sum"]) hash.update(readFileSync(join(module, file)));
  return cached(`tools-${name}-${hash.digest("hex").slice(0, 12)}`, async (path) => {
    const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly", GOWORK: "off" };
    const args = ["build", "-trimpath", "-buildvcs=false", "-o", `${path}/`, "tool"];
    const { code, output } = await run("go", args, { cwd: module, env }).catch(() =>
      assert.fail(`The programs of test/${name} are built with Go 1.21 or later: install Go and try again.`),
    );
    assert.equal(code, 0, `The programs of test/${name} can't be built.\n${output}`);
  });
}
