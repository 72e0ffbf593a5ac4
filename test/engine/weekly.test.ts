import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Report } from "../../cli/weekly/report.ts";
import { Checkout } from "../support/checkout.ts";
import { runJob, weekly } from "../support/workflow.ts";

/** The commands of the job that renews, on a real stack. What becomes of a report is told by a quick test. */
describe("the weekly workflow", function () {
  this.timeout(5 * 60_000);

  const files = mkdtempSync(join(tmpdir(), "weekly-"));
  let checkout: Checkout;

  before(async () => {
    checkout = new Checkout();
    await checkout.configure();
  });
  after(async () => {
    await checkout.dispose();
    rmSync(files, { recursive: true });
  });

  async function renew(stack: string) {
    const { renew: job } = weekly.jobs;
    assert.ok(job);
    const env = { ...process.env, PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true", ...checkout.env };
    const none = ["PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE", "DIGITALOCEAN_TOKEN", "AWS_ACCESS_KEY_ID"];
    const expressions = {
      "matrix.stack": stack,
      "github.server_url": "https://github.com",
      "github.repository": "somebody/registry",
      "github.run_id": "77",
      ...Object.fromEntries([...none, "AWS_SECRET_ACCESS_KEY"].map((name) => [`secrets.${name}`, ""])),
      "secrets.PULUMI_BACKEND_URL": `file://${checkout.folder}/.state`,
    };
    const artifacts = join(files, stack);
    const ended = await runJob(job, { folder: checkout.folder, artifacts, env, expressions, skipped: ["npm ci"] });
    const report = JSON.parse(readFileSync(join(artifacts, `report-${stack}/${stack}.json`), "utf8")) as Report;
    return { ...ended, report };
  }

  it("brings a stack up and reports that all is well, without a secret", async () => {
    const { isWell, output, report } = await renew(checkout.stack);
    assert.ok(isWell, output);
    assert.deepEqual([report.stack, report.isWell], [checkout.stack, true]);
    assert.match(report.text, /^All is well\.\n\nImages:\n\n {6}. registry:3\.1\.2 .*\n {6}. nginx:1\.30\.6-alpine /);
    const { passwords } = await checkout.outputs();
    for (const secret of [...Object.values(passwords), checkout.read(".state/passphrase").trim()])
      assert.ok(!`${output}${report.text}`.includes(secret));
  });

  it("does not create a stack that doesn't exist", async () => {
    const { isWell, outcomes, report } = await renew("nosuchstack");
    assert.deepEqual([isWell, outcomes], [false, { up: "failure" }]);
    assert.match(report.text, /did not succeed \(failure\).*\n\n.*\n\n {6}\? stack {2}There is no stack nosuchstack\./);
    assert.ok(existsSync(join(checkout.folder, `.state/.pulumi/stacks/private-registry/${checkout.stack}.json`)));
    assert.ok(!existsSync(join(checkout.folder, ".state/.pulumi/stacks/private-registry/nosuchstack.json")));
  });
});
