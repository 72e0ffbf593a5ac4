import assert from "node:assert/strict";

import { judgeTags, parseReference } from "../../../cli/newerImages.ts";

describe("newer images", () => {
  it("are looked for where Docker would pull them", () => {
    const hub = "registry-1.docker.io";
    for (const [reference, host, path, tag] of [
      ["registry:3.1.2", hub, "library/registry", "3.1.2"],
      ["goacme/lego:v4.35.2", hub, "goacme/lego", "v4.35.2"],
      ["docker.io/nginx:1.30.6-alpine", hub, "library/nginx", "1.30.6-alpine"],
      ["docker.io/library/nginx:1", hub, "library/nginx", "1"],
      ["ghcr.io/a/b:2.0", "ghcr.io", "a/b", "2.0"],
      ["localhost/b:2.0", "localhost", "b", "2.0"],
      ["mirror:5000/a/b/c:2.0", "mirror:5000", "a/b/c", "2.0"],
      [`registry:3.1.2@sha256:${"0".repeat(64)}`, hub, "library/registry", "3.1.2"],
      [`registry@sha256:${"0".repeat(64)}`, hub, "library/registry", ""],
    ] as const)
      assert.deepEqual(parseReference(reference), { host, path, tag }, reference);
  });

  for (const [what, reference, tags, expected] of [
    ["the newest of its line, by number", "registry:3.1.2", ["3.1.4", "3.1.10", "3.1.1", "3.1"], "3.1.2 → 3.1.10"],
    [
      "the newest of a later line as well",
      "nginx:1.30.6-alpine",
      ["1.30.7-alpine", "1.31.2-alpine", "1.31.10-alpine", "2.0.0-alpine"],
      "1.30.6-alpine → 1.30.7-alpine; a later line has 1.31.10-alpine",
    ],
    [
      "a later line only",
      "a:v4.35.2",
      ["v4.36.0", "4.37.0", "v5.0.0"],
      "the newest of its line; a later line has v4.36.0",
    ],
    ["no other kind", "a:1.30.6-alpine", ["1.30.9", "1.30.9-alpine-slim", "1.30.9-bookworm"], "the newest of its line"],
    ["no release candidate", "a:3.1.2", ["3.1.3-rc.1", "latest", "3.2.0-beta"], "the newest of its line"],
    ["one of a tag with a single number by nothing else", "a:3", ["4", "3.1", "3"], "the newest of its line"],
    ["none if the tag is no version", "a:stable", ["1.0", "2.0"], "its tag is no version that could be compared"],
    ["none if there is no tag", `a@sha256:${"0".repeat(64)}`, ["1.0"], "its tag is no version that could be compared"],
  ] as const)
    it(`are named: ${what}`, () => assert.equal(judgeTags(reference, tags).what, expected));
});
