const { reporters, Runner } = require("mocha");

/** Mocha's own report, with a closing line that a machine can read. */
module.exports = class extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats;
      const skipped = pending === 0 ? "" : `, ${pending} skipped`;
      console.log(`${passes} passed, ${failures} failed${skipped}`);
    });
  }
};
