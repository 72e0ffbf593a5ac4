import assert from "node:assert/strict";

import { TestCloud } from "../cloud/testCloud";
import { RemoteCheckout, stacks, zones } from "../support/remote";
import { succeed } from "../support/run";

/** What a cloud was asked to make. */
function made({ faults }: TestCloud): string[] {
  return faults.calls.filter((call) => call.startsWith("create "));
}

describe("a mistake of the stack remote", function () {
  this.timeout(5 * 60_000);

  let cloud: TestCloud;
  let checkout: RemoteCheckout;
  const { host } = stacks.digitalocean;

  before(async () => {
    cloud = await TestCloud.start({ ipv6: true, zones });
    checkout = new RemoteCheckout(cloud);
    await checkout.configure(stacks.digitalocean);
  });

  after(async () => {
    await checkout.dispose();
    await cloud.dispose();
  });

  it("is a name outside its zone, told in one sentence before anything is made", async () => {
    checkout.set({ hostname: "registry.example.org" });
    const output = await checkout.upFails();
    assert.match(output, /hostname: "registry\.example\.org" is not in the zone "example\.com"/);
    assert.deepEqual(cloud.faults.calls, []);
    checkout.set({ hostname: stacks.digitalocean.hostname });
  });

  it("is a missing token, told before anything is made", async () => {
    const output = await checkout.upFails({ env: { DIGITALOCEAN_TOKEN: "" } });
    assert.match(output, /digitalocean:token: is not set: an API token/);
    assert.deepEqual(cloud.faults.calls, []);
  });

  it("is a token that is not accepted", async () => {
    const output = await checkout.upFails({ env: { DIGITALOCEAN_TOKEN: "dop_v1_wrong" } });
    assert.match(output, /digitalocean:token: is not accepted\./);
    assert.doesNotMatch(output, /dop_v1_wrong/);
  });

  it("is a region, an image and a size that there isn't, told before anything is made", async () => {
    checkout.set({ host: { ...host, region: "xyz1", image: "windows-95" } });
    const output = await checkout.upFails();
    assert.match(output, /host\.region: DigitalOcean has no region "xyz1"/);
    assert.match(output, /host\.image: DigitalOcean has no image "windows-95"/);
    checkout.set({ host: { ...host, size: "s-99vcpu" } });
    assert.match(await checkout.upFails(), /host\.size: there is no size "s-99vcpu" in fra1/);
    assert.deepEqual(made(cloud), []);
    checkout.set({ host });
  });

  it("is one address too many", async () => {
    const { limits } = cloud.digitalOcean;
    const { reservedIps } = limits;
    limits.reservedIps = 0;
    try {
      assert.match(await checkout.upFails(), /reached the limit of reserved IPs/);
    } finally {
      limits.reservedIps = reservedIps;
    }
  });

  it("is a data disk with something else on it, which is left as it was; an empty one is taken next", async () => {
    await checkout.makes("purge");
    await checkout.configure(stacks.digitalocean);
    let disk = "";
    cloud.disks.preload(async (file) => {
      disk = file;
      await succeed("mkfs.ext4", ["-q", "-L", "somebody-elses", file]);
    });
    const foreign = await checkout.upFails();
    assert.match(foreign, /the machine did not boot well: the data disk \S+ holds something that is not ours/);
    assert.match(foreign, /LABEL=somebody-elses/);
    assert.match(await succeed("blkid", ["-p", disk]), /LABEL="somebody-elses"/);
    // It is looked at there, although it is not ready.
    const shell = await checkout.make("ssh", { input: "echo signed in as $(id -un)\n" });
    assert.match(shell.output, /signed in as deploy/);
    await checkout.makes("purge");
    await checkout.configure(stacks.digitalocean);
    await checkout.up();
  });

  it("is asking more often than is allowed, and nothing is lost by it", async () => {
    cloud.digitalOcean.requestsLeft = 5;
    try {
      assert.match(await checkout.upFails(), /429.*API rate limit exceeded/);
    } finally {
      cloud.digitalOcean.requestsLeft = Infinity;
    }
    await checkout.assertUnchanged();
  });

  it("is a machine that can't be reached; once it can, the next `up` continues", async () => {
    const [machine] = cloud.machines;
    await machine?.cutOff(true);
    checkout.set({ deletion: true });
    assert.match(await checkout.upFails(), /The machine does not answer[^]*198\.\S+ is reachable|can't be reached/);
    await machine?.cutOff(false);
    await checkout.up();
  });

  it("is a full data disk, told by name, with nothing lost", async () => {
    const outputs = await checkout.up();
    const digest = await checkout.push(outputs, "app", "layer");
    await cloud.machines[0]?.fill("/srv/registry");
    checkout.set({ host: { ...host, generation: 2 } });
    assert.match(await checkout.upFails(), /the data disk is full: \d+ MiB are left\. A larger host\.dataSize/);
    // On another machine, as the kernel of these lets nobody grow what is mounted.
    checkout.set({ host: { ...host, generation: 3, dataSize: 2 } });
    await checkout.up();
    assert.equal(await checkout.pulls(outputs, "app", digest), true);
  });
});

describe("a mistake of the stack remote on aws", function () {
  this.timeout(5 * 60_000);

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

  it("is a missing region, told before anything is made", async () => {
    assert.match(await checkout.upFails({ env: { AWS_REGION: "" } }), /aws:region: is not set/);
    assert.deepEqual(cloud.faults.calls, []);
  });

  it("is a key that is not accepted", async () => {
    const output = await checkout.upFails({ env: { AWS_SECRET_ACCESS_KEY: "wrong" } });
    assert.match(output, /aws: the credentials are not accepted/);
  });

  it("is a type that there isn't, or one of an old generation, told before anything is made", async () => {
    checkout.set({ host: { ...host, size: "t3.tiny" } });
    assert.match(await checkout.upFails(), /host\.size: "t3\.tiny" is no type of instance in this region/);
    checkout.set({ host: { ...host, size: "t2.small" } });
    assert.match(await checkout.upFails(), /host\.size: "t2\.small" is of an old generation/);
    assert.deepEqual(made(cloud), []);
    checkout.set({ host });
  });

  it("is asking more often than is allowed", async () => {
    cloud.aws.requestsLeft = 5;
    try {
      assert.match(await checkout.upFails(), /Request limit exceeded/);
    } finally {
      cloud.aws.requestsLeft = Infinity;
    }
  });

  it("is one address too many", async () => {
    const { limits } = cloud.aws;
    const { addresses } = limits;
    limits.addresses = 0;
    try {
      assert.match(await checkout.upFails(), /AddressLimitExceeded/);
    } finally {
      limits.addresses = addresses;
    }
  });

  it("is an image and a subnet that there isn't", async () => {
    checkout.set({ host: { ...host, image: "ami-0123456789abcdef0" } });
    assert.match(await checkout.upFails(), /InvalidAMIID\.NotFound/);
    checkout.set({ host: { ...host, subnet: "subnet-0123456789abcdef0" } });
    assert.match(await checkout.upFails(), /host\.subnet: there is no "subnet-0123456789abcdef0" in this region/);
    checkout.set({ host });
  });

  it("is followed by an `up` that goes on from there", () => checkout.up());
});
