import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Checkout } from "../support/checkout.ts";
import { goTools } from "../support/goTools.ts";
import { addressOf, run } from "../support/run.ts";

/** So many of the 843 tests must pass at the registry, or too little was compared: 660 do; 470 without deletion. */
const enough = 640;

/** A digest in no valid format is no path for the proxy: 404. The registry says 400, or takes it for a tag to delete. */
const refusedEarlier = [
  ...["delete/manifest-delete: passed, DELETE 202, HEAD 404", "delete/manifest-delete: passed, DELETE 404, HEAD 404"],
  ...["manifest-get: passed, GET 400", "manifest-get: passed, GET 404"],
  ...["manifest-put: passed, PUT 400", "manifest-put: failure, PUT 404"],
].map((outcome, i) => `${i % 2 === 0 ? "-" : "+"} OCI Conformance Test/invalid-digest-format/${outcome}`);

/**
 * The conformance program of the Open Container Initiative, run twice: at the registry itself and through the proxy.
 * The registry fails some of its tests; the proxy must change nothing else.
 */
describe("the OCI conformance tests", function () {
  this.timeout(10 * 60_000);

  const folder = mkdtempSync(join(tmpdir(), "conformance-"));
  let checkout: Checkout;

  before(async () => {
    checkout = new Checkout();
    await checkout.configure({ deletion: true });
  });

  after(async () => {
    await checkout.dispose();
    rmSync(folder, { recursive: true });
  });

  /** Runs all tests in their own repositories, named after the run; returns the outcome of each. */
  async function test(program: string, name: string, target: Record<string, string>): Promise<string[]> {
    const config = {
      ...target,
      version: "1.1+dev", // The tests of 1.1, and those of what comes after it.
      data: { sparse: true }, // All other kinds of data are tested unless one says otherwise.
      repo1: `${name}/one`,
      repo2: `${name}/two`,
      resultsDir: name,
    };
    // JSON is YAML; the mode, because there is a password in it.
    writeFileSync(join(folder, `${name}.yaml`), JSON.stringify(config), { mode: 0o600 });
    // That is its whole environment: a variable for it would win over the file, and one that names an HTTP proxy would
    // lead it away from the container.
    const env = { OCI_CONFIGURATION: `${name}.yaml`, SSL_CERT_FILE: "ca.pem" };
    const { output } = await run(program, [], { cwd: folder, env });
    const report = join(folder, name, "junit.xml");
    assert.ok(existsSync(report), output);
    return outcomes(readFileSync(report, "utf8"));
  }

  it("come out the same through the proxy as at the registry itself", async () => {
    const program = join(await goTools("conformance"), "conformance");
    const { url, passwords, caCertificate } = await checkout.bringUp();
    writeFileSync(join(folder, "ca.pem"), caCertificate);

    const registry = await addressOf(await checkout.registry(), checkout.name);
    const [direct, proxied] = await Promise.all([
      test(program, "direct", { registry: `${registry}:5000`, tls: "disabled" }),
      test(program, "proxied", {
        registry: new URL(url).host,
        tls: "enabled",
        username: "admin",
        password: passwords["admin"] ?? "",
      }),
    ]);

    const counts = `- registry: ${counted(direct)}\n+ proxy:    ${counted(proxied)}`;
    const differences = [
      ...without(direct, proxied).map((outcome) => `- ${outcome}`),
      ...without(proxied, direct).map((outcome) => `+ ${outcome}`),
    ]
      .filter((difference) => !refusedEarlier.includes(difference))
      .sort((one, other) => nameOf(one.slice(2)).localeCompare(nameOf(other.slice(2))));
    if (differences.length > 0) assert.fail(`The proxy makes a difference.\n${counts}\n\n${differences.join("\n")}`);
    assert.ok(having("passed", direct).length >= enough, counts);
  });
});

/**
 * The outcome of each test, with every answer that it got, sorted: some tests share a name, and their order is random.
 * The 401 that a client's first request gets is no answer of the registry.
 */
function outcomes(junit: string): string[] {
  const tests = junit.matchAll(/<testcase name="([^"]*)"[^>]* status="(\w+)">([^]*?)<\/testcase>/g);
  return Array.from(tests, ([, name = "", status = "", log = ""]) => {
    const answers = log.matchAll(/Method: (\w+)&#xA;[^]*?~~~ RESPONSE ~~~&#xA;Status: (\d+)&#xA;/g);
    const said = Array.from(answers, ([, method = "", answer = ""]) => `${method} ${answer}`);
    return `${name}: ${[status, ...said.filter((answer) => !answer.endsWith(" 401"))].join(", ")}`;
  }).sort();
}

/** A list without the other one's elements, each removed once. */
function without(list: readonly string[], other: readonly string[]): string[] {
  const rest = [...other];
  return list.filter((item) => {
    const index = rest.indexOf(item);
    if (index >= 0) rest.splice(index, 1);
    return index < 0;
  });
}

function nameOf(outcome: string): string {
  return outcome.replace(/: .*/, "");
}

function having(status: string, list: readonly string[]): string[] {
  return list.filter((outcome) => outcome.includes(`: ${status}`));
}

/** `470 passed, 158 failure, 0 error, 215 skipped` */
function counted(list: readonly string[]): string {
  return ["passed", "failure", "error", "skipped"]
    .map((status) => `${String(having(status, list).length)} ${status}`)
    .join(", ");
}
