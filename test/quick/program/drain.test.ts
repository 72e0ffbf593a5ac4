import assert from "node:assert/strict";

import { parseUploads } from "../../../cli/drain.ts";

describe("the uploads that an old registry still receives", () => {
  const root = "/data/docker/registry/v2/repositories";
  const id = "01a22673-d5e4-7b31-bfde-4f729b54da1e";

  it("are the files of uploads that it has open, by repository and size", () => {
    const printed = [
      `120000000 ${root}/team/app/_uploads/${id}/data`,
      `0 ${root}/_uploads/app/_uploads/${id}/data`,
      "",
    ];
    assert.deepEqual(parseUploads(printed.join("\n")), [
      { repository: "team/app", bytes: 120_000_000 },
      { repository: "_uploads/app", bytes: 0 },
    ]);
  });

  it("are none if it has none open", () => {
    assert.deepEqual(parseUploads(""), []);
    assert.deepEqual(parseUploads(`5 ${root}/team/app/_layers/sha256/x/data\n`), []);
  });
});
