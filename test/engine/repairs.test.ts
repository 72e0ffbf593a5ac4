import assert from "node:assert/strict";

import { Checkout } from "../support/checkout.ts";
import { docker } from "../support/run.ts";

/** What `make up` decides is tested without an engine (test/quick/program/repairs.test.ts); here, that it really happens. */
describe("containers that somebody changed by hand", function () {
  this.timeout(5 * 60_000);

  let checkout: Checkout;
  before(async () => {
    checkout = new Checkout();
    await checkout.configure();
    await checkout.bringUp();
  });
  after(() => checkout.dispose());

  /** The names of its servers, the proxy's last. */
  const servers = async () => {
    const ids = [...(await checkout.containers("registry")), ...(await checkout.containers("proxy"))];
    return (await docker("inspect", "--format", "{{.Name}}", ...ids)).split("\n").map((name) => name.slice(1));
  };
  const oneShots = () =>
    ["registry-setup", "proxy-config-owner", "proxy-loader"].map((role) => `${checkout.name}-${role}`);
  const idsOf = (names: string[]) => docker("inspect", "--format", "{{.Id}}", ...names);

  async function makesUp(): Promise<void> {
    const output = await checkout.makes("up");
    assert.equal(output.match(/✓/g)?.length, 6, output);
    assert.doesNotMatch(output, /✗/);
  }

  it("come back after a kill, and `make up` goes on working after that", async () => {
    await docker("kill", ...(await servers()));
    for (let run = 1; run <= 2; run++) await makesUp();
  });

  it("come back after one was stopped and the other removed", async () => {
    const [registry = "", other = "", proxy = ""] = await servers();
    await docker("stop", proxy, other);
    await docker("rm", "--force", "--volumes", registry);
    await makesUp();
  });

  // The first run here is the second one after the change of the test before.
  it("are unpaused and get their names again, without being replaced", async () => {
    const names = await servers();
    const before = await idsOf(names);
    for (const name of [...names, ...oneShots()]) await docker("rename", name, `${name}-old`);
    await docker("pause", ...names.map((name) => `${name}-old`));
    await makesUp();
    assert.equal(await idsOf(names), before);
  });

  it("run again if they run once and were removed", async () => {
    await docker("rm", ...oneShots());
    await makesUp();
  });

  it("are not harmed by plain `pulumi up` while they are down, which says what to do", async () => {
    await docker("kill", ...(await servers()));
    assert.equal((await checkout.pulumi("up", "--yes", "--skip-preview")).code, 0);

    // A one-shot that joins the proxy can't be started.
    checkout.set({ guessesPerMinute: 29 });
    const failed = await checkout.pulumi("up", "--yes", "--skip-preview");
    assert.match(failed.output, /cannot join network of a non running container/);
    const again = await checkout.pulumi("up", "--yes", "--skip-preview");
    assert.match(again.output, /configuration did not go live:\s+it was not started/);
    assert.doesNotMatch(again.output, /\n\s+at .*\.(ts|js):\d+/, "a stack trace is shown");

    const replace = /pulumi up --replace '([^']+)'/.exec(again.output)?.[1];
    assert.ok(replace, again.output);
    await docker("start", ...(await servers()));
    const { code, output } = await checkout.pulumi("up", "--yes", "--skip-preview", "--replace", replace);
    assert.equal(code, 0, output);
  });

  it("come back with `make up` after plain `pulumi up` failed", async () => {
    await docker("kill", ...(await servers()));
    checkout.set({ guessesPerMinute: 28 });
    assert.notEqual((await checkout.pulumi("up", "--yes", "--skip-preview")).code, 0);
    await makesUp();
  });
});
