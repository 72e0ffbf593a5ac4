import assert from "node:assert/strict";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";

import type { Finding } from "../../../cli/status/finding.ts";
import { shellQuoted } from "../../../components/commands.ts";
import { runJob, weekly } from "../../support/workflow.ts";

const repository = "https://github.com/somebody/registry";
const runUrl = `${repository}/actions/runs/77`;
const title = "The registry of stack remote needs somebody";
const secret = "pul-0123456789";

/** The workflow's own commands, with `make`, `pulumi`, `gh` and the program's `status` and `newer-images` replaced. */
describe("the weekly workflow", function () {
  this.timeout(60_000);

  let folder: string;
  const path = (file: string) => join(folder, file);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "weekly-"));
    // No packages: the job that may write issues installs none.
    cpSync("cli", path("checkout/cli"), { recursive: true });
    writeFileSync(path("checkout/package.json"), JSON.stringify({ type: "module" }));
    cpSync("cli", path("second/cli"), { recursive: true });
    writeFileSync(path("second/package.json"), JSON.stringify({ type: "module" }));
    mkdirSync(path("bin"));
    mkdirSync(path("calls"));
    program(
      "make",
      `case "$*" in "-s env STACK=remote") ;; "up STACK=remote") echo "▸ pulumi up $PULUMI_ACCESS_TOKEN"; exit $(cat ${path("up")}) ;; *) exit 99 ;; esac`,
    );
    program("pulumi", `[ "$*" = "stack --stack remote --show-name" ] && exit $(cat ${path("stack")})`);
    program(
      "node",
      `case "$1 $2" in
"cli/main.ts status") echo "$*" >>${path("asked")}; cat ${path("status.json")}; exit 1 ;;
"cli/main.ts newer-images") echo "$*" >>${path("asked")}; cat ${path("images.json")} ;;
*) exec ${shellQuoted(process.execPath)} "$@" ;;
esac`,
    );
    program(
      "gh",
      `[ "$GH_TOKEN" = issues-only ] && [ "$GH_REPO" = somebody/registry ] || exit 99
if [ "$2" = list ]; then cat ${path("open.json")}; exit; fi
printf '%s\\n' "$*" >>${path("calls/args")}
cat >>${path("calls/input")}`,
    );
    answer({});
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function program(name: string, script: string): void {
    writeFileSync(path(`bin/${name}`), `#!/bin/bash\n${script}\n`);
    chmodSync(path(`bin/${name}`), 0o755);
  }

  const well: Finding[] = [{ about: "endpoint", is: "well", what: "https://registry.example.com" }];
  const newer: Finding = { about: "registry:3.1.2", is: "note", what: "3.1.2 → 3.1.4" };

  interface Answers {
    readonly up?: number;
    readonly exists?: boolean;
    readonly result?: "well" | "wrong" | "unknown";
    readonly findings?: readonly Finding[];
    /** What `status` prints in place of JSON. */
    readonly printed?: string;
    readonly images?: string;
    readonly open?: readonly { number: number; title: string }[];
  }

  function answer({
    up = 0,
    exists = true,
    result = "well",
    findings = well,
    printed,
    images,
    open = [],
  }: Answers): void {
    writeFileSync(path("up"), String(up));
    writeFileSync(path("stack"), exists ? "0" : "255");
    writeFileSync(path("status.json"), printed ?? JSON.stringify({ stack: "remote", result, findings }));
    writeFileSync(path("images.json"), images ?? JSON.stringify({ stack: "remote", images: [newer] }));
    writeFileSync(path("open.json"), JSON.stringify(open));
  }

  const expressions = {
    "matrix.stack": "remote",
    "vars.STACKS": '["remote"]',
    "github.server_url": "https://github.com",
    "github.repository": "somebody/registry",
    "github.run_id": "77",
    "github.token": "issues-only",
    "secrets.PULUMI_ACCESS_TOKEN": secret,
    "secrets.PULUMI_BACKEND_URL": "",
    "secrets.PULUMI_CONFIG_PASSPHRASE": "",
    "secrets.DIGITALOCEAN_TOKEN": "",
    "secrets.AWS_ACCESS_KEY_ID": "",
    "secrets.AWS_SECRET_ACCESS_KEY": "",
  };

  async function runBoth(isApproved = true) {
    const env = {
      PATH: [path("bin"), dirname(process.execPath), "/usr/bin", "/bin"].join(delimiter),
      HOME: folder,
      GITHUB_STEP_SUMMARY: path("summary.md"),
    };
    const { renew, issues } = weekly.jobs;
    assert.ok(renew && issues);
    const options = { artifacts: path("artifacts"), env, expressions, skipped: ["npm ci"] };
    const renewed = isApproved && (await runJob(renew, { ...options, folder: path("checkout") }));
    const told = await runJob(issues, { ...options, folder: path("second") });
    assert.ok(told.isWell, told.output);
    const read = (file: string) => (existsSync(path(file)) ? readFileSync(path(file), "utf8") : "");
    return {
      renewed: renewed || undefined,
      calls: read("calls/args"),
      body: read("calls/input"),
      summary: read("summary.md"),
      asked: read("asked"),
    };
  }

  it("says nothing in an issue if all is well, and names newer images in its summary", async () => {
    const { renewed, calls, summary, asked } = await runBoth();
    assert.equal(renewed?.isWell, true, renewed?.output);
    assert.equal(calls, "");
    assert.match(summary, /^## remote\n\nAll is well\.\n\nImages:\n\n {6}· registry:3\.1\.2 {2}3\.1\.2 → 3\.1\.4\n/);
    assert.equal(asked, "cli/main.ts status remote --json\ncli/main.ts newer-images remote --json\n");
  });

  it("opens an issue with what is wrong or can't be told, and with nothing else", async () => {
    const findings: Finding[] = [
      ...well,
      { about: "certificate", is: "wrong", what: "ran out on 2026-01-01" },
      { about: "engine", is: "unknown", what: "does not answer: @nobody\n<b>" },
      { about: "users", is: "note", what: "admin (admin)" },
    ];
    answer({ result: "wrong", findings });
    const { renewed, calls, body } = await runBoth();
    assert.equal(renewed?.isWell, false);
    assert.equal(calls, `issue create --title ${title} --body-file -\n`);
    assert.equal(
      body,
      `What is wrong (✗) or can't be told (?), by \`make status STACK=remote\`:

      ✗ certificate  ran out on 2026-01-01
      ? engine       does not answer: @nobody
    <b>

Images:

      · registry:3.1.2  3.1.2 → 3.1.4

By [this run](${runUrl}). docs/weekly.md says what it does.
`,
    );
  });

  it("goes on in the open issue of the same title", async () => {
    const findings: Finding[] = [{ about: "engine", is: "unknown", what: "does not answer" }];
    const others = [
      { number: 3, title: `${title}!` },
      { number: 9, title },
    ];
    answer({ result: "unknown", findings, open: others });
    const { renewed, calls, body } = await runBoth();
    assert.equal(renewed?.isWell, false);
    assert.equal(calls, "issue comment 9 --body-file -\n");
    assert.match(body, /\? engine {2}does not answer/);
  });

  it("closes the issue when all is well again", async () => {
    answer({ open: [{ number: 9, title }] });
    const { calls } = await runBoth();
    assert.equal(calls, `issue close 9 --comment All is well again: ${runUrl}\n`);
  });

  it("opens an issue if `make up` fails, although all is well", async () => {
    answer({ up: 2 });
    const { renewed, calls, body, summary } = await runBoth();
    assert.deepEqual([renewed?.isWell, renewed?.outcomes], [false, { up: "failure" }]);
    assert.ok(renewed?.output.includes(`▸ pulumi up ${secret}`));
    assert.ok(!`${calls}${body}${summary}`.includes(secret));
    assert.match(calls, /^issue create /);
    assert.match(body, /^`make up STACK=remote` did not succeed \(failure\), .* \[this run\]\(.*\/77\)\.\n\nImages:/);
  });

  it("creates no stack that the backend doesn't have", async () => {
    const findings: Finding[] = [{ about: "stack", is: "unknown", what: "There is no stack remote." }];
    answer({ exists: false, result: "unknown", findings });
    const { renewed, body } = await runBoth();
    assert.ok(!renewed?.output.includes("▸ pulumi up"), renewed?.output);
    assert.match(body, /\? stack {2}There is no stack remote\./);
  });

  it("opens an issue if nothing can be told, and says where to look", async () => {
    answer({ printed: "a stack trace", images: "" });
    const { renewed, calls, body } = await runBoth();
    assert.equal(renewed?.isWell, false);
    assert.match(calls, /^issue create /);
    assert.match(
      body,
      /^`make status STACK=remote` could not say .*\n\nNewer images were not looked for\. See the log/,
    );
  });

  it("opens an issue if nobody approved", async () => {
    const { calls, body } = await runBoth(false);
    assert.match(calls, /^issue create /);
    assert.match(body, /did not get as far as `make up STACK=remote`: nobody approved it, or it was stopped\./);
  });

  it("gives each job and step no more than it needs", () => {
    assert.deepEqual(weekly.permissions, {});
    const { renew, issues } = weekly.jobs;
    assert.deepEqual(renew?.permissions, { contents: "read" });
    assert.equal(renew.environment, "registry");
    assert.deepEqual(issues?.permissions, { contents: "read", issues: "write" });
    assert.ok(!JSON.stringify(issues).includes("secrets."));
    const withSecrets = renew.steps.filter((step) => JSON.stringify(step).includes("secrets."));
    assert.deepEqual(
      withSecrets.map(({ name }) => name),
      ["Renew", "Look"],
    );
    const commands = Object.values(weekly.jobs).flatMap(({ steps }) => steps.map(({ run = "" }) => run));
    // A value in a command would be read as shell.
    assert.ok(!commands.some((command) => command.includes("${{")));
  });
});
