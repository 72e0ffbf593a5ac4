import assert from "node:assert/strict";

import { roleLabel } from "../../components/labels.ts";
import { Checkout } from "../support/checkout.ts";
import { SecondEngine } from "../support/secondEngine.ts";
import { settings } from "../support/settings.ts";

const { images } = settings;

describe("a docker-machine, on a second engine with TLS", function () {
  this.timeout(5 * 60_000);

  const machine = new SecondEngine("dev1");
  let checkout: Checkout;

  before(async function () {
    if (process.getuid?.() !== 0) return this.skip(); // A second engine needs root.
    await machine.start();
    await machine.load(images.registry, images.proxy);
    checkout = new Checkout({ MACHINE_STORAGE_PATH: machine.storage }, machine.beside);
    await checkout.configure({ dockerMachine: "dev1" });
  });

  after(async () => {
    await machine.stop();
    await checkout.dispose();
  });

  it("gets the registry, at the machine's own address, and the first engine gets nothing", async () => {
    const output = await checkout.makes("up");
    assert.doesNotMatch(output, /✗/);
    assert.match((await checkout.outputs()).endpoint, /^127\.0\.0\.1:\d+$/);

    const { stdout } = await machine.docker("ps", "--format", `${checkout.name} {{.Label "${roleLabel}"}}`);
    assert.deepEqual(
      stdout.trim().split("\n").sort(),
      ["proxy", "registry", "registry"].map((role) => `${checkout.name} ${role}`),
    );
    assert.deepEqual(await checkout.remains(), []);
  });

  it("has no changes on a second `pulumi up` by hand", async () => {
    const { code, output } = await checkout.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes");
    assert.equal(code, 0, output);
  });
});
