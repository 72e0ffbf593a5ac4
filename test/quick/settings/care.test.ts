import assert from "node:assert/strict";

import { parseSettings } from "../../../settings/index.ts";
import { imagesOf } from "../../../settings/images.ts";

const read = (care: object) => parseSettings({ care: JSON.stringify(care) });
const problemsOf = (care: object) =>
  read(care).problems.map(({ setting, wrong, cure }) => `${setting}: ${wrong}. ${cure}`);

describe("the setting care", () => {
  it("is nothing unless it is set, and then there is no keeper and no image for one", () => {
    assert.equal(parseSettings({}).settings.care, undefined);
    assert.ok(!imagesOf({}).some((image) => image.startsWith("node:")));
    assert.ok(imagesOf({ care: "{}" }).some((image) => image.startsWith("node:")));
  });

  it("has a keeper that collects only if it is asked to, with a grace and a time to undo of a day", () => {
    assert.deepEqual(read({}).settings.care, {
      ...{ collect: undefined, grace: 24, undo: 24 },
      ...{ warning: 80, stop: 90 },
    });
    const given = { collect: "Sun 03:30", grace: "48", undo: "0", warning: "70", stop: "95" };
    assert.deepEqual(read(given).settings.care, { collect: "Sun 03:30", grace: 48, undo: 0, warning: 70, stop: 95 });
  });

  for (const [care, problem] of [
    [{ collect: "3:30" }, /^care\.collect: "3:30" is not a time of day, or a day of the week and one\. .* 03:30/],
    [{ grace: "0" }, /^care\.grace: /],
    [{ grace: "1.5" }, /^care\.grace: /],
    [{ undo: "-1" }, /^care\.undo: /],
    [{ backup: {} }, /^care\.backup: there is no such setting/],
  ] as const)
    it(`refuses ${JSON.stringify(care)}`, () => {
      const problems = problemsOf(care);
      assert.equal(problems.length, 1, problems.join("\n"));
      assert.match(problems[0] ?? "", problem);
    });
});
