import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";

import { shellQuoted } from "../../../components/commands.ts";

describe("a word for a shell", () => {
  it("is read by it unchanged, whatever is in it", () => {
    const words = [
      "plain",
      "",
      " ",
      "it's",
      '"double"',
      "$HOME `id` $(id)",
      "a\nb",
      "\\",
      "--",
      "*",
      "café",
      "a;b|c&d",
    ];
    const printed = execFileSync("bash", ["-c", `printf '%s\\0' ${words.map(shellQuoted).join(" ")}`], {
      encoding: "utf8",
    });
    assert.deepEqual(printed.split("\0").slice(0, -1), words);
  });
});
