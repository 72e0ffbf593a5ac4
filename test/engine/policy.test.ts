import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { Checkout } from "../support/checkout.ts";

/** The rules are tested without an engine; here, that Pulumi runs them. */
describe("the policy pack", function () {
  this.timeout(2 * 60_000);

  let checkout: Checkout;
  before(async () => {
    checkout = new Checkout();
    await checkout.configure();
  });
  after(() => checkout.dispose());

  it("accepts a valid preview after checking every rule", async () => {
    const { code, output } = await checkout.make("preview");
    assert.equal(code, 0, output);
    assert.match(output, /Policy Packs run:\s+Name +Version\s+private-registry\|local\|policy\/pack/);
    assert.doesNotMatch(output, /can't run policy/);
  });

  it("refuses a preview of a component that breaks a rule, in the rule's own words", async () => {
    const component = "components/hardening.ts";
    const sound = checkout.read(component);
    const broken = sound.replace('drops: ["ALL"]', "drops: []");
    assert.notEqual(broken, sound);
    writeFileSync(join(checkout.folder, component), broken);
    const { code, output } = await checkout.make("preview");
    assert.notEqual(code, 0, output);
    assert.match(output, /\[mandatory\] +capabilities/);
    assert.match(output, new RegExp(`${checkout.name}-registry-container-1-\\w+ keeps capabilities: it must drop ALL`));
  });
});
