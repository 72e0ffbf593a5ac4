import assert from "node:assert/strict";

import { Checkout } from "../support/checkout";
import { stop } from "../support/run";

/** Seconds after the start at which `make up` is stopped, and how: Ctrl-C, or the power. Together they span its whole run. */
const moments = [
  [1, "SIGINT"],
  [3, "SIGKILL"],
  [5, "SIGINT"],
  [7, "SIGKILL"],
  [9, "SIGKILL"],
  [11, "SIGINT"],
  [13, "SIGKILL"],
  [15, "SIGKILL"],
  [17, "SIGINT"],
  [20, "SIGKILL"],
] as const;

describe("`make up`, stopped", function () {
  this.timeout(5 * 60_000);

  for (const [seconds, signal] of moments) {
    it(`by ${signal} after ${String(seconds)} s, is followed by one that succeeds`, async () => {
      const checkout = new Checkout();
      try {
        await checkout.configure();
        const stopped = await checkout.make("up", {
          onStart: (group) => setTimeout(() => stop(group, signal), seconds * 1000),
        });
        const { code, output } = await checkout.make("up");
        assert.equal(code, 0, `${stopped.output}\n--- and then ---\n${output}`);
        assert.doesNotMatch(output, /✗/);
      } finally {
        await checkout.dispose();
      }
    });
  }
});
