import assert from "node:assert/strict";
import { existsSync } from "node:fs";

import { adopted } from "../../../cli/earlier.ts";
import { earlier } from "../../support/earlier.ts";

describe("the state of an earlier version", () => {
  const resource = { urn: "urn", type: "pulumi-nodejs:dynamic/privateregistry:Prepared" };
  const loadedBy = (code: unknown) => Array.from(String(code).matchAll(/require\([^"]*"([^"]+)"/g), ([, file]) => file);

  it("has the code of a machine's steps load files that are there", () => {
    assert.deepEqual(loadedBy(earlier.provider), ["node:path", "tsx/cjs", "components/hosts/machineSteps"]);
    const step = { ...resource, inputs: { __provider: earlier.provider, user: "deploy" } };
    const { inputs, outputs } = adopted({ ...step, outputs: step.inputs });
    assert.deepEqual(inputs, outputs);
    assert.equal(inputs?.["user"], "deploy");
    const [, file = "", ...more] = loadedBy(inputs["__provider"]);
    assert.deepEqual(more, []);
    assert.ok(existsSync(file), file);
  });

  it("is left as it is where it loads them already, or nothing", () => {
    for (const each of [resource, { ...resource, inputs: { __provider: "" } }]) assert.equal(adopted(each), each);
  });
});
