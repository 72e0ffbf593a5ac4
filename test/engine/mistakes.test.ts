import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";

import { Checkout } from "../support/checkout.ts";

/** The settings are tested without an engine; here, what a person sees and what is left behind. */
describe("a mistake in the settings", function () {
  this.timeout(2 * 60_000);

  let checkout: Checkout;
  let sound: string;
  before(async () => {
    checkout = new Checkout();
    await checkout.configure();
    sound = checkout.read(checkout.stackFile);
  });
  beforeEach(() => writeFileSync(join(checkout.folder, checkout.stackFile), sound));
  after(() => checkout.dispose());

  async function refused(): Promise<string> {
    const { code, output } = await checkout.pulumi("up", "--yes");
    assert.notEqual(code, 0, output);
    assert.doesNotMatch(output, /\n\s+at .*\.(ts|js):\d+/, "a stack trace is shown");
    assert.deepEqual(await checkout.remains(), []);
    const { checkpoint } = JSON.parse(
      checkout.read(`.state/.pulumi/stacks/private-registry/${checkout.stack}.json`),
    ) as {
      checkpoint: { latest?: { resources?: { type: string }[] } };
    };
    const made = (checkpoint.latest?.resources ?? []).map(({ type }) => type);
    assert.deepEqual(
      made.filter((type) => type !== "pulumi:pulumi:Stack"),
      [],
    );
    return output;
  }

  it("is reported together with all others, by setting and cure, before anything is created", async () => {
    checkout.set({
      hostnam: "registry.example",
      port: 70000,
      dataPath: "~/Sites/docker/registry/data",
      registryImage: "no-such.invalid/registry:9.9.9",
      users: [{ name: "a:b" }],
      certificate: {
        mode: "provided",
        bundleFile: "/nowhere/docker-registry.crt",
        keyFile: "/nowhere/docker-registry.key",
      },
    });
    await checkout.setSecret("users[0].password", "p".repeat(73));
    const output = await refused();
    assert.match(output, /8 problems in the settings of stack t[0-9a-f]+; nothing was changed\./);
    assert.match(output, /hostnam: there is no such setting\.\s+did you mean hostname\?/);
    assert.match(output, /port: "70000" is not a whole number from 1 to 65535/);
    assert.match(output, /dataPath: .*is not an absolute path/);
    assert.match(output, /users\[0\]\.name: "a:b" has a colon/);
    assert.match(output, /users\[0\]\.password: has 73 bytes/);
    assert.match(
      output,
      /registryImage: the image no-such\.invalid\/registry:9\.9\.9 is not on the engine and can't be pulled/,
    );
    assert.match(output, /certificate\.bundleFile: can't be read: ENOENT/);
    assert.match(output, /certificate\.keyFile: can't be read: ENOENT/);
    assert.doesNotMatch(output, /p{73}/);
  });

  it("is reported: a port that is taken", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    checkout.set({ port: (other.address() as AddressInfo).port });
    const output = await refused();
    other.close();
    assert.match(
      output,
      /port: port \d+ of 127\.0\.0\.1 is taken by another program\.\s+free it, or choose another: pulumi config set port/,
    );
  });

  it("is reported: an engine that doesn't answer, which a preview doesn't need", async () => {
    checkout.set({ dockerHost: "unix:///nowhere/docker.sock" });
    const { code, output } = await checkout.pulumi("preview");
    assert.equal(code, 0, output);
    assert.match(output, /no Docker engine answers at unix:\/\/\/nowhere\/docker\.sock/);
    assert.match(output, /ReverseProxy/);
    assert.match(await refused(), /dockerHost: no Docker engine answers at unix:\/\/\/nowhere\/docker\.sock/);
    assert.match((await checkout.make("up")).output, /No Docker engine answers at unix:\/\/\/nowhere\/docker\.sock/);
  });

  it("is reported: a docker-machine that doesn't exist", async () => {
    checkout.set({ dockerMachine: "dev7" });
    assert.match(
      await refused(),
      /dockerMachine: there is no docker-machine "dev7" in .*\.\s+docker-machine ls lists the machines/,
    );
  });
});
