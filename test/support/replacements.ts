import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import { manifestOf, RegistryClient } from "../../cli/client.ts";
import type { Outputs } from "../../components/outputs.ts";
import type { Checkout } from "./checkout.ts";
import { Load } from "./load.ts";
import { settings } from "./settings.ts";
import { Transfers } from "./transfers.ts";

/** Slow enough for a change to begin and end meanwhile. */
const slowly = "8M";

/**
 * Replacements of a registry's containers while 20 clients pull, 10 push, and a large blob is pulled and another pushed.
 * The repository `kept` has a tag and that blob.
 */
export class Replacements {
  readonly transfers: Transfers;
  /** The registry's image under another name, and of another content. */
  readonly otherImage: string;
  private readonly checkout: Checkout;
  private readonly outputs: Outputs;
  private readonly address: string | undefined;

  /** @param address Where to connect. Default: where the registry's name leads. */
  constructor(checkout: Checkout, outputs: Outputs, address?: string) {
    this.checkout = checkout;
    this.outputs = outputs;
    this.address = address;
    this.transfers = new Transfers(outputs, address);
    this.otherImage = `localhost:1/${checkout.stack}:1`;
  }

  async prepare(): Promise<void> {
    await this.transfers.prepare(300);
    await this.transfers.push("kept");
    const { url, caCertificate, passwords } = this.outputs;
    const client = new RegistryClient(url, caCertificate, passwords, this.address);
    const layer = Buffer.from("layer");
    await client.pushArtifact("admin", "kept", layer);
    assert.equal((await client.pushManifest("admin", "kept", "1", manifestOf(layer))).status, 201);
    client.close();
    const dockerfile = `FROM ${settings.images.registry}\nLABEL another=image\n`;
    await this.checkout.docker(["build", "--quiet", "--tag", this.otherImage, "-"], dockerfile);
  }

  /** By what each is: what does it. */
  readonly all: readonly (readonly [string, () => Promise<void>])[] = [
    ["another image", () => this.change({ registryImage: this.otherImage })],
    ["deletion", () => this.change({ deletion: true })],
    ["another setting", () => this.change({ drainTimeout: 800 })],
    ["by hand", () => this.byHand()],
  ];

  async change(to: Record<string, unknown>): Promise<void> {
    this.checkout.set(to);
    await this.up();
  }

  private async byHand(): Promise<void> {
    const { stdout } = await this.checkout.pulumi("stack", "export");
    const urns = new Set(stdout.match(/urn:[^"]*::\S+-registry-container-\d(?=")/g));
    assert.equal(urns.size, 2);
    await this.up(...[...urns].map((urn) => `--replace=${urn}`));
  }

  async up(...options: string[]): Promise<void> {
    const { code, output } = await this.checkout.pulumi("up", "--yes", "--skip-preview", ...options);
    assert.equal(code, 0, output);
  }

  /** Replaces the containers by one of these: no request may fail, and all must come back as it was pushed. */
  async underLoad(replace: () => Promise<void>): Promise<void> {
    const { transfers } = this;
    const before = await this.checkout.containers("registry");
    const load = new Load(this.outputs, { pullers: 20, pushers: 10 }, this.address);
    const slow = Promise.all([transfers.pull("kept", slowly), transfers.push("pushed", slowly)]);
    let count;
    try {
      await Promise.all([slow, sleep(1000).then(replace)]);
    } finally {
      count = await load.stop();
    }
    const { requests, failed, corrupt, pushed } = count;
    console.log(
      `      ${String(requests)} requests, ${String(pushed)} artifacts pushed, ${String(failed.length)} failed`,
    );
    assert.deepEqual({ failed, corrupt }, { failed: [], corrupt: [] });
    assert.ok(requests >= 2000, `only ${String(requests)} requests`);
    await transfers.pull("pushed");

    const after = await this.checkout.containers("registry");
    assert.equal(after.length, 2);
    assert.ok(!after.some((id) => before.includes(id)), "a container was not replaced");
  }

  /** Asserts that no other containers are left than two registries with this setting, and that Pulumi has no more to do. */
  async assertSettled(drainTimeout: number): Promise<void> {
    const ids = await this.checkout.containers("registry");
    assert.equal(ids.length, 2);
    for (const id of ids) {
      const file = await this.checkout.docker(["inspect", "--format", "{{index .Args 1}}", id]);
      const config = await this.checkout.docker(["exec", id, "cat", file]);
      assert.match(config, new RegExp(`draintimeout: ${String(drainTimeout)}s`));
    }
    await this.up("--expect-no-changes");
  }

  async dispose(): Promise<void> {
    this.transfers.dispose();
    await this.checkout.docker(["rmi", "--force", this.otherImage]);
  }
}
