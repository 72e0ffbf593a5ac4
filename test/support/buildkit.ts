import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { cached } from "./cache.ts";
import { run } from "./run.ts";

/** BuildKit's Go module, and its hash as in a go.sum. Its own go.sum has those of all that it imports. */
const buildkit = {
  module: "github.com/moby/buildkit",
  version: "v0.34.2",
  hash: "h1:fXgOe79JW5zJNDumRtwTemOklLX66otQokObUXuiGJo=",
};

/** Builds buildkitd and buildctl, once. Returns their folder. */
export function buildBuildkit(): Promise<string> {
  const { module, version, hash } = buildkit;
  return cached(`buildkit-${version}`, async (path) => {
    const downloaded = await go(["mod", "download", "-json", `${module}@${version}`], "/");
    const { Dir: source, Sum: found } = JSON.parse(downloaded) as { readonly Dir: string; readonly Sum: string };
    assert.equal(found, hash);
    mkdirSync(path);
    const named = `-X ${module}/version.Version=${version}`;
    const options = ["-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", named, "-o", join(path, "/")];
    await go(["build", ...options, "./cmd/buildkitd", "./cmd/buildctl"], source);
  });
}

async function go(args: readonly string[], cwd: string): Promise<string> {
  const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "", GOWORK: "off" };
  const { code, output, stdout } = await run("go", args, { cwd, env }).catch(() =>
    assert.fail("BuildKit is built with Go: install Go and try again."),
  );
  assert.equal(code, 0, `BuildKit can't be built.\n${output}`);
  return stdout;
}
