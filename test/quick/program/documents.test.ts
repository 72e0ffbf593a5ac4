import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const read = (path: string): string => readFileSync(path, "utf8");

describe("the documents", () => {
  const guides = readdirSync("docs").filter((name) => name.endsWith(".md"));
  const documents = ["README.md", "CONTRIBUTING.md", "SECURITY.md", ...guides.map((name) => join("docs", name))];

  it("begin with a README of at most 150 lines", () => {
    assert.ok(read("README.md").trimEnd().split("\n").length <= 150);
  });

  it("link only to existing files and headings", () => {
    let seen = 0;
    for (const document of documents)
      for (const [, target = ""] of proseOf(read(document)).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        seen++;
        const [path = "", anchor] = target.split("#");
        const file = path === "" ? document : join(dirname(document), path);
        assert.ok(existsSync(file), `${document}: ${target}`);
        if (anchor !== undefined) assert.ok(anchorsOf(read(file)).includes(anchor), `${document}: ${target}`);
      }
    assert.ok(seen > 20, "hardly any was found");
  });

  it("name existing tests in their examples", () => {
    const files = readdirSync("test", { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".test.ts"),
    );
    const sources = files.map((name) => read(join("test", name)));
    const named = documents.flatMap((document) => [...read(document).matchAll(/make test ONLY=(?:"(.+?)"|(\S+))/g)]);
    assert.ok(named.length > 1, "hardly any was found");
    for (const [command, words, path] of named)
      assert.ok(
        path === undefined ? sources.some((source) => source.includes(`it("${words ?? ""}`)) : existsSync(path),
        command,
      );
  });
});

/** Without code. */
function proseOf(text: string): string {
  return text.replace(/^```.*?^```/gms, "").replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]()]/g, ""));
}

/** The anchors of a document's headings, as the repository's host makes them. */
function anchorsOf(text: string): string[] {
  const headings = text.replace(/^```.*?^```/gms, "").matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
