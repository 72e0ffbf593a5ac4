const { writeFileSync } = require("node:fs");

const { reporters, Runner } = require("mocha");

const { Remains } = require("./remains.ts");

const { EVENT_HOOK_END, EVENT_RUN_END, EVENT_TEST_END, EVENT_TEST_FAIL } = Runner.constants;

/**
 * Mocha's own report, with a closing line that a machine can read. A failed test also prints its containers' logs.
 * In a lane of test/run.ts, which writes that line for all lanes, the results go into a file.
 */
module.exports = class extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const times = [];
    const failed = [];
    // A test's preparation may take longer than the test.
    for (const event of [EVENT_TEST_END, EVENT_HOOK_END])
      runner.on(event, (each) => times.push({ title: each.fullTitle(), seconds: (each.duration ?? 0) / 1000 }));
    runner.on(EVENT_TEST_FAIL, (test, error) => {
      failed.push({ title: test.fullTitle(), reason: `${error.name}: ${error.message}` });
      for (const left of Remains.own()) console.log(left.lastWords());
    });
    runner.once(EVENT_RUN_END, () => {
      const { passes: passed, pending: skipped } = this.stats;
      const { LANE_REPORT: file } = process.env;
      if (file !== undefined) writeFileSync(file, JSON.stringify({ passed, skipped, failed, times }));
      else console.log(`${passed} passed, ${failed.length} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`);
    });
  }
};
