import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import ts from "typescript";

import { writeAuthority } from "../../../cli/ca.ts";
import type { Outputs } from "../../../components/outputs.ts";
import { SettingsError } from "../../../settings/problems.ts";

const read = (path: string): string => readFileSync(path, "utf8");

/** A command for plain `pulumi`, which a new shell doesn't have; not a heading of a run, not the words "a `pulumi up`". */
const pulumiCommand =
  /(?<!▸ |\ba \\?`)\bpulumi (cancel|config|destroy|import|login|plugin|preview|refresh|stack|state|up)\b/;
/** The line that makes it available in a shell. */
const preparation = /eval \\?"\\?\$\(make -s env( STACK=\w+)?\)\\?"/;

function filesUnder(folder: string, pattern: RegExp): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => pattern.test(path) && statSync(path).isFile());
}

function isPrepared(lines: readonly string[], line: number): boolean {
  return lines.slice(0, line + 1).some((each) => preparation.test(each));
}

describe("commands that people should run", () => {
  const documents = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "airgap/README.md", ...filesUnder("docs", /\.md$/)];

  it("come in documents after the line that makes `pulumi` work in a new shell, block by block, and name their stack", () => {
    let seen = 0;
    for (const document of documents)
      for (const [, block = ""] of read(document).matchAll(/^```sh\n(.*?)^```/gms)) {
        const lines = block.split("\n");
        for (const [i, line] of lines.entries()) {
          if (!pulumiCommand.test(line)) continue;
          seen++;
          assert.ok(isPrepared(lines, i), `${document}: ${line}`);
          assert.match(line, / (-s|stack init|plugin \w+) \w+/, document);
        }
      }
    assert.ok(seen > 8, "hardly any was found");
  });

  it("come in the comments of stack files after the same, and name their stack", () => {
    for (const [file, stack] of [
      ["Pulumi.dev1.yaml", "dev1"],
      ["Pulumi.remote.yaml", "remote"],
    ] as const) {
      const lines = read(file).split("\n");
      const commands = [...lines.entries()].filter(([, line]) => line.includes("# $ "));
      assert.ok(commands.length > 2);
      for (const [i, line] of commands) {
        assert.ok(isPrepared(lines, i), `${file}: ${line}`);
        assert.ok(line.includes(` -s ${stack} `), `${file}: ${line}`);
      }
    }
  });

  it("are printed by TypeScript together with the same, unless they are the cure of a problem in the settings", () => {
    // `checkCommand` is a contract; it is documented as one for a prepared shell.
    const contract = "--cacert <(pulumi stack output caCertificate";
    const folders = ["cli", "clouds", "components", "preflight"];
    const files = folders.flatMap((folder) => filesUnder(folder, /\.ts$/));
    const printed = files.flatMap((file) => commandsIn(file).map((each) => ({ ...each, file })));
    assert.ok(printed.length > 8, "hardly any was found");
    for (const { file, text, isCure } of printed)
      assert.ok(
        isCure || text.includes("inNewShell(") || preparation.test(text) || text.includes(contract),
        `${file}: ${text}`,
      );
  });

  it("are printed by shell scripts together with the same", () => {
    const lines = [...filesUnder("bootstrap", /\/[\w-]+$/), "Makefile"].flatMap((file) => read(file).split("\n"));
    const printing = lines.filter((line) => /\b(echo|fail|say|printf) .*/.test(line) && pulumiCommand.test(line));
    assert.ok(printing.length > 0, "none was found");
    for (const line of printing) assert.match(line, preparation);
  });

  it("name their stack if a script prints them for `make`", () => {
    const aboutAStack =
      /\bmake (-s )?(up|preview|destroy|purge|login|passwords|ca|(un)?trust(?!-)|trust-bundle|smoke|status|renew|newer-images|ssh|logs|images)\b(?! STACK=)/;
    // Any stack's `make up` installs what `make doctor` finds missing.
    for (const file of [...filesUnder("cli", /\.ts$/), ...filesUnder("bootstrap", /\/(?!doctor$)[\w-]+$/)])
      for (const line of read(file).split("\n")) {
        if (/^\s*(#|\/\/|\*|\/\*\*)/.test(line)) continue;
        assert.doesNotMatch(line, aboutAStack, file);
      }
  });

  it("end the list of problems in the settings with the same, if a cure needs it", () => {
    const message = (cure: string) =>
      new SettingsError("test", [{ setting: "port", wrong: "is none", cure }]).message.trimEnd().split("\n").at(-1) ??
      "";
    assert.match(message("pulumi config set port 5043"), preparation);
    assert.match(message("pulumi config set port 5043"), /pulumi stack select test$/);
    assert.doesNotMatch(message("start it"), preparation);
  });
});

describe("the scripts of package.json", () => {
  it("first get the packages that they need, whatever state the folder is in", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const own = Object.keys(scripts).filter((name) => !name.startsWith("pre"));
    assert.ok(own.length > 1);
    for (const name of own) assert.equal(scripts[`pre${name}`], "make --silent clouds", name);
  });
});

describe("the authority in a file", () => {
  const folder = mkdtempSync(join(tmpdir(), "authority-"));
  const file = join(folder, "ca.crt");
  const authority = { endpoint: "localhost:5043", caCertificate: "the authority\n", caFingerprint: "AB:CD" };
  after(() => rmSync(folder, { recursive: true }));
  beforeEach(() => rmSync(file, { recursive: true, force: true }));

  const stackWith = (outputs: object) => ({ name: "test", outputs: () => Promise.resolve(outputs as Outputs) });

  it("is written whole, in place of an older one, and shown with its fingerprint", async () => {
    writeFileSync(file, "an older and longer one\n");
    const told = await writeAuthority(stackWith(authority), file);
    assert.equal(told, `${file}\nSHA-256 AB:CD`);
    assert.equal(read(file), "the authority\n");
  });

  it("is not written, nor another one touched, if there is none to trust", async () => {
    for (const older of [undefined, "an older one\n"]) {
      if (older !== undefined) writeFileSync(file, older);
      const none = { ...authority, caCertificate: "", caFingerprint: "" };
      await assert.rejects(writeAuthority(stackWith(none), file), {
        message: /^Clients already trust the certificate of stack test/,
      });
      assert.equal(statSync(file, { throwIfNoEntry: false }) && read(file), older);
    }
  });

  it("leaves nothing behind if it can't be written, and replaces only a file", async () => {
    mkdirSync(file);
    symlinkSync("nowhere", join(folder, "link"));
    for (const path of [file, join(folder, "link"), join(folder, "no-such-folder", "ca.crt")]) {
      const before = readdirSync(folder);
      await assert.rejects(writeAuthority(stackWith(authority), path), {
        message: /^The authority could not be written: .*$/,
      });
      assert.deepEqual(readdirSync(folder), before);
    }
  });
});

/** The texts of a program that contain a command for `pulumi`, each with its whole expression. */
function commandsIn(file: string): { readonly text: string; readonly isCure: boolean }[] {
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.ES2022, true);
  const found: { text: string; isCure: boolean }[] = [];
  const visit = (node: ts.Node): void => {
    const isText = ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);
    const isCall = ts.isCallExpression(node) && node.expression.getText() === "configCommand";
    if ((isText && pulumiCommand.test(node.getText())) || isCall) {
      found.push({ text: statementOf(node).getText(), isCure: isCure(node) });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function statementOf(node: ts.Node): ts.Node {
  return ts.isStatement(node) || ts.isSourceFile(node.parent) ? node : statementOf(node.parent);
}

/** A problem's `cure`, or the function that makes one. */
function isCure(node: ts.Node): boolean {
  if (ts.isSourceFile(node)) return false;
  if (ts.isFunctionDeclaration(node)) return node.name?.text === "configCommand";
  const isNamed = ts.isPropertyAssignment(node) || ts.isVariableDeclaration(node);
  return (isNamed && node.name.getText() === "cure") || isCure(node.parent);
}
