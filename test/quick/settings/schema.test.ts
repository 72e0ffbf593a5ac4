import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { generated, notInPage, notShown, readGenerated } from "../../../settings/documents.ts";

describe("the schema of the settings", () => {
  for (const file of generated) {
    it(`matches ${file}`, async () => {
      const { text, fresh } = await readGenerated(file);
      assert.equal(text, fresh, "to update it: node settings/generate.ts");
    });
  }

  it("has every setting in a table of docs/settings.md", () => {
    const page = readFileSync("docs/settings.md", "utf8");
    assert.deepEqual(notInPage(page), []);
    assert.deepEqual(notInPage(page.replace("hostname port -->", "hostname -->")), ["port"]);
  });

  const files = ["Pulumi.dev1.yaml", "Pulumi.remote.yaml"].map((file) => readFileSync(file, "utf8"));

  it("has every setting, and every part of one, in a stack file", () => {
    assert.deepEqual(notShown(files), []);
  });

  for (const [path, line] of [
    ["maxUploadSize", /^.*maxUploadSize: .*$/gm],
    ["users[0].role", /^.*\brole: .*$/gm],
    ["certificate.key", /`key`/g],
    ["host.keyFile", /^.* keyFile: ~.*$/gm],
    // Another cloud's example still has it.
    ["host.size", /^.*size: t3.*$/gm],
  ] as const) {
    it(`reports ${path} if no stack file shows it`, () => {
      const without = files.map((text) => text.replaceAll(line, "#"));
      assert.deepEqual(notShown(without), [path]);
    });
  }
});
