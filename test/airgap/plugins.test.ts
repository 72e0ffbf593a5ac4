import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { type Properties, Sdk } from "./sdk.ts";

/** The resources that the program uses, or may use later. */
const used = {
  docker: ["Provider", "Container", "Network", "RemoteImage", "Volume"],
  random: ["Provider", "RandomBytes", "RandomPassword"],
  tls: ["Provider", "CertRequest", "LocallySignedCert", "PrivateKey", "SelfSignedCert"],
};

/** Inputs that the SDK accepts although only the plugin sets them. No other difference is known. */
const answered: Partial<Record<string, string[]>> = { "docker:index/volume:Volume": ["cluster.id"] };

/** The installed plugin if airgap/ built it; otherwise the reason why it can't be checked. */
function findPlugin({ name, version }: Sdk["plugin"]): { path: string } | { missing: string } {
  const home = process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
  const path = join(home, "plugins", `resource-${name}-v${version}`, `pulumi-resource-${name}`);
  if (!existsSync(path)) return { missing: "not installed: run bootstrap/install-tools" };
  return readFileSync(path).includes("private-registry/airgap/plugins") ? { path } : { missing: "the official one" };
}

for (const [name, classes] of Object.entries(used)) {
  const sdk = new Sdk(`@pulumi/${name}`);
  const plugin = findPlugin(sdk.plugin);

  describe(`the plugin ${name} built by airgap/${"missing" in plugin ? ` (${plugin.missing})` : ""}`, () => {
    let built: Partial<Record<string, Properties>>;
    before(function () {
      if ("missing" in plugin) return this.skip();
      built = JSON.parse(execFileSync(plugin.path, ["-properties"], { encoding: "utf8" })) as typeof built;
    });

    it(`calls itself ${sdk.plugin.version}, the version of the SDK`, () => {
      assert.ok("path" in plugin);
      assert.equal(execFileSync(plugin.path, ["-version"], { encoding: "utf8" }).trim(), sdk.plugin.version);
    });

    for (const resource of classes) {
      const token = sdk.token(resource);

      it(`has ${token} with every property that the SDK sends`, () => {
        const { inputs } = sdk.properties(resource);
        const names = Object.keys(inputs).filter((property) => !property.includes("."));
        assert.deepEqual(sdk.sent(resource).sort(), names.sort());
        const wanted = Object.entries(inputs).filter(([property]) => !answered[token]?.includes(property));
        assert.deepEqual(built[token]?.inputs, Object.fromEntries(wanted));
      });

      if (resource !== "Provider")
        it(`answers with every property that the SDK reads from ${token}`, () => {
          assert.deepEqual(built[token]?.state, sdk.properties(resource).state);
        });
    }
  });
}
