import assert from "node:assert/strict";

import { isWhole, itInTestLong } from "../support/matrix.ts";
import { RemoteCheckout, stacks, zones } from "../support/remote.ts";
import { succeed } from "../support/run.ts";
import { TestCloud } from "../testCloud/testCloud.ts";

/** The cloud's calls that create something. */
function made({ faults }: TestCloud): string[] {
  return faults.calls.filter((call) => call.startsWith("create "));
}

describe("a mistake of the stack remote", function () {
  this.timeout(10 * 60_000);

  let cloud: TestCloud;
  let checkout: RemoteCheckout;
  /** The file of the data disk. */
  let disk: string;
  const { host } = stacks.digitalocean;

  before(async () => {
    cloud = await TestCloud.start({ ipv6: true, zones });
    cloud.disks.preload(async (file) => {
      disk = file;
      await succeed("mkfs.ext4", ["-q", "-L", "somebody-elses", file]);
    });
    checkout = new RemoteCheckout(cloud);
    await checkout.configure(stacks.digitalocean);
  });

  after(async () => {
    await checkout.dispose();
    await cloud.dispose();
  });

  it("is reported before anything is created: a name outside its zone and a missing token", async () => {
    checkout.set({ hostname: "registry.example.org" });
    const output = await checkout.upFails({ env: { DIGITALOCEAN_TOKEN: "" } });
    assert.match(output, /hostname: "registry\.example\.org" is not in the zone "example\.com"/);
    assert.match(output, /digitalocean:token: is not set: an API token/);
    assert.deepEqual(cloud.faults.calls, []);
    checkout.set({ hostname: stacks.digitalocean.hostname });
  });

  it("is reported before anything is created: an unknown region and image, together", async () => {
    checkout.set({ host: { ...host, region: "xyz1", image: "windows-95" } });
    const output = await checkout.upFails();
    assert.match(output, /host\.region: DigitalOcean has no region "xyz1"/);
    assert.match(output, /host\.image: DigitalOcean has no image "windows-95"/);
    assert.deepEqual(made(cloud), []);
    checkout.set({ host });
  });

  itInTestLong("is reported before anything is created: an unknown size", async () => {
    checkout.set({ host: { ...host, size: "s-99vcpu" } });
    assert.match(await checkout.upFails(), /host\.size: there is no size "s-99vcpu" in fra1/);
    assert.deepEqual(made(cloud), []);
    checkout.set({ host });
  });

  it("is reported: one address too many for the account", async () => {
    const { limits } = cloud.digitalOcean;
    const { reservedIps } = limits;
    limits.reservedIps = 0;
    try {
      assert.match(await checkout.upFails(), /reached the limit of reserved IPs/);
    } finally {
      limits.reservedIps = reservedIps;
    }
  });

  it("is reported: a data disk with other content, which stays as it is until somebody empties it", async () => {
    const foreign = await checkout.upFails();
    assert.match(foreign, /cloud-init failed: the data disk \S+ holds something that is not ours/);
    assert.match(foreign, /LABEL=somebody-elses/);
    assert.match(await succeed("blkid", ["-p", disk]), /LABEL="somebody-elses"/);
    // `make ssh` works, although the machine is not ready.
    const shell = await checkout.make("ssh", {
      input: "echo signed in as $(id -un)\n. /etc/registry-data && sudo blkdiscard --zeroout $DISK\n",
    });
    assert.match(shell.output, /signed in as deploy/);
    await checkout.up();
  });

  it("is reported: too many requests, and nothing is lost", async () => {
    cloud.digitalOcean.requestsLeft = 5;
    try {
      assert.match(await checkout.upFails(), /429.*API rate limit exceeded/);
    } finally {
      cloud.digitalOcean.requestsLeft = Infinity;
    }
    await checkout.assertUnchanged();
  });

  itInTestLong("is reported: a machine that can't be reached; once it can, the next `up` continues", async () => {
    const [machine] = cloud.machines;
    await machine?.cutOff(true);
    checkout.set({ deletion: true });
    assert.match(await checkout.upFails(), /The machine does not answer[^]*198\.\S+ is reachable|can't be reached/);
    await machine?.cutOff(false);
    await checkout.up();
  });
});

describe("a mistake of the stack remote on aws", function () {
  this.timeout(10 * 60_000);

  let cloud: TestCloud;
  let checkout: RemoteCheckout;
  const { host } = stacks.aws;

  before(async () => {
    cloud = await TestCloud.start({ ipv6: true, zones });
    checkout = new RemoteCheckout(cloud);
    await checkout.configure(stacks.aws);
  });

  after(async () => {
    await checkout.dispose();
    await cloud.dispose();
  });

  it("is reported before anything is created: an unknown type and subnet, together", async () => {
    checkout.set({ host: { ...host, size: "t3.tiny", subnet: "subnet-0123456789abcdef0" } });
    const output = await checkout.upFails();
    assert.match(output, /host\.size: "t3\.tiny" is not an instance type in this region/);
    assert.match(output, /host\.subnet: there is no "subnet-0123456789abcdef0" in this region/);
    assert.deepEqual(made(cloud), []);
    checkout.set({ host });
  });

  if (!isWhole) return;

  it("is reported before anything is created: a missing region", async () => {
    assert.match(await checkout.upFails({ env: { AWS_REGION: "" } }), /aws:region: is not set/);
    assert.deepEqual(made(cloud), []);
  });

  it("is reported: a key that is not accepted", async () => {
    const output = await checkout.upFails({ env: { AWS_SECRET_ACCESS_KEY: "wrong" } });
    assert.match(output, /aws: the credentials are not accepted/);
  });

  it("is reported before anything is created: a type of an old generation", async () => {
    checkout.set({ host: { ...host, size: "t2.small" } });
    assert.match(await checkout.upFails(), /host\.size: "t2\.small" is of an old generation/);
    assert.deepEqual(made(cloud), []);
    checkout.set({ host });
  });

  it("is reported: too many requests", async () => {
    cloud.aws.requestsLeft = 5;
    try {
      assert.match(await checkout.upFails(), /Request limit exceeded/);
    } finally {
      cloud.aws.requestsLeft = Infinity;
    }
  });

  it("is reported: one address too many for the account", async () => {
    const { limits } = cloud.aws;
    const { addresses } = limits;
    limits.addresses = 0;
    try {
      assert.match(await checkout.upFails(), /AddressLimitExceeded/);
    } finally {
      limits.addresses = addresses;
    }
  });

  it("is reported: an unknown image", async () => {
    checkout.set({ host: { ...host, image: "ami-0123456789abcdef0" } });
    assert.match(await checkout.upFails(), /InvalidAMIID\.NotFound/);
    checkout.set({ host });
  });

  it("is followed by an `up` that continues from there", () => checkout.up());
});
