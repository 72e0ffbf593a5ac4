import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { DNSimple } from "dnsimple";

import { itInTestLong } from "../support/matrix.ts";
import { docker, run, succeed } from "../support/run.ts";
import { settings } from "../support/settings.ts";
import type { Machine } from "../testCloud/machines.ts";
import { Program } from "../testCloud/program.ts";
import { TestCloud } from "../testCloud/testCloud.ts";

const { images } = settings;

const up = ["up", "--yes", "--skip-preview"] as const;

describe("the cloud for tests", function () {
  this.timeout(3 * 60_000);

  let cloud: TestCloud;
  let folder: string;
  /** A host key, and a client's key. */
  let hostKey: { readonly key: string; readonly publicKey: string };
  let clientKey: string;
  const programs: Program[] = [];

  before(async function () {
    if (process.getuid?.() !== 0) return this.skip(); // Machines, disks and filters need root.
    folder = mkdtempSync(join(tmpdir(), "cloud-"));
    hostKey = await makeKey("host");
    clientKey = (await makeKey("client")).publicKey;
    const zones = { digitalOcean: ["example.com"], route53: ["example.org"], dnsimple: ["example.net"] };
    cloud = await TestCloud.start({ ipv6: true, zones });
  });

  after(async () => {
    for (const program of programs) program.dispose();
    await cloud.dispose();
    rmSync(folder, { recursive: true });
    const label = `label=private-registry.test-cloud=${cloud.name}`;
    assert.equal(await docker("ps", "--all", "--quiet", "--filter", label), "");
    assert.equal(await docker("network", "ls", "--quiet", "--filter", label), "");
    assert.ok(!(await succeed("losetup", ["--all"])).includes(cloud.name));
  });

  async function makeKey(name: string) {
    const path = join(folder, name);
    await succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path]);
    return { key: readFileSync(path, "utf8"), publicKey: readFileSync(`${path}.pub`, "utf8").trim() };
  }

  async function newProgram(env: NodeJS.ProcessEnv = {}): Promise<Program> {
    const program = new Program({ ...cloud.env, ...env });
    programs.push(program);
    await program.succeed("stack", "init");
    return program;
  }

  /** JSON is YAML, too. */
  function userData(greeting: string): string {
    const keys = { ed25519_private: hostKey.key, ed25519_public: hostKey.publicKey };
    return `#cloud-config\n${JSON.stringify({ ssh_keys: keys, write_files: [{ path: "/greeting", content: greeting }] })}`;
  }

  function onlyMachine(): Machine {
    const [machine, ...others] = cloud.machines;
    assert.ok(machine);
    assert.equal(others.length, 0);
    return machine;
  }

  async function expectBooted(machine: Machine, address: string, greeting: string): Promise<void> {
    assert.match(await machine.untilBooted(), /^status: done$/m);
    assert.equal(await machine.read("/greeting"), greeting);
    const [type, key] = hostKey.publicKey.split(" ");
    assert.ok(
      (await succeed("ssh-keyscan", ["-t", "ed25519", address])).includes(`${address} ${type ?? ""} ${key ?? ""}`),
    );
  }

  /** Whether a TCP port answers within a second. */
  function answers(address: string, port: number): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = createConnection({ host: address, port, timeout: 1000 });
      const end = (isOpen: boolean) => () => (socket.destroy(), resolve(isOpen));
      socket.on("connect", end(true)).on("timeout", end(false)).on("error", end(false));
    });
  }

  describe("as DigitalOcean", () => {
    const link = "/dev/disk/by-id/scsi-0DO_Volume_data";
    let program: Program;
    let address: string;

    const source = (greeting: string, port: number, size: number) => `
      const key = new digitalocean.SshKey("key", { publicKey: ${JSON.stringify(clientKey)} });
      const volume = new digitalocean.Volume("volume", { name: "data", region: "fra1", size: ${String(size)} });
      const tag = new digitalocean.Tag("tag", { name: "web" });
      const droplet = new digitalocean.Droplet("droplet", {
        name: "web", region: "fra1", size: "s-1vcpu-1gb", image: "debian-12-x64", ipv6: true, tags: [tag.name],
        sshKeys: [key.fingerprint], userData: pulumi.secret(${JSON.stringify(userData(greeting))}),
      });
      const dropletId = droplet.id.apply(Number);
      const ip = new digitalocean.ReservedIp("ip", { region: "fra1" });
      const joined = { deleteBeforeReplace: true };
      new digitalocean.VolumeAttachment("attachment", { dropletId, volumeId: volume.id }, joined);
      new digitalocean.ReservedIpAssignment("assignment", { dropletId, ipAddress: ip.ipAddress }, joined);
      const inboundRules = [22, ${String(port)}].map((portRange) => (
        { protocol: "tcp", portRange: String(portRange), sourceAddresses: ["0.0.0.0/0", "::/0"] }
      ));
      new digitalocean.Firewall("firewall", { name: "web", tags: [tag.name], inboundRules });
      const domain = digitalocean.getDomainOutput({ name: "example.com" }).name;
      new digitalocean.DnsRecord("a", { domain, name: "www", type: "A", value: ip.ipAddress });
      new digitalocean.DnsRecord("aaaa", { domain, name: "www", type: "AAAA", value: droplet.ipv6Address });
      exports.address = ip.ipAddress;`;

    before(async () => {
      program = await newProgram();
      program.write(source("hello", 8080, 1));
    });

    it("previews everything and creates nothing", async () => {
      cloud.faults.calls.length = 0;
      const output = await program.succeed("preview");
      assert.match(output, /11 to create/);
      assert.deepEqual(cloud.faults.calls, ["invoke digitalocean:index/getDomain:getDomain"]);
      assert.deepEqual(cloud.machines, []);
    });

    it("refuses a token that isn't the account's", async () => {
      const stranger = await newProgram({ DIGITALOCEAN_TOKEN: "wrong" });
      stranger.write('new digitalocean.ReservedIp("ip", { region: "fra1" });');
      const { code, output } = await stranger.pulumi([...up]);
      assert.notEqual(code, 0);
      assert.match(output, /401 \(request "[^"]+"\) Unable to authenticate you/);
    });

    it("refuses properties that the real one doesn't have, and values that it doesn't accept", async () => {
      const other = await newProgram();
      other.write('new digitalocean.ReservedIp("ip", { region: "mars1" });');
      assert.match((await other.pulumi([...up])).output, /422 \(request "[^"]+"\) You specified an invalid region/);
      other.write('new pulumi.CustomResource("digitalocean:index/reservedIp:ReservedIp", "ip", { regoin: "fra1" });');
      const { code, output } = await other.pulumi(["preview"]);
      assert.notEqual(code, 0);
      assert.match(output, /knows no property regoin/);
    });

    it("fails, and loses an answer, on request", async () => {
      const other = await newProgram();
      const create = "create digitalocean:index/reservedIp:ReservedIp";
      other.write('new digitalocean.ReservedIp("ip", { region: "fra1" });');
      cloud.faults.fail(create, "429", "Too many requests");
      cloud.faults.loseAnswer(create, 2);
      assert.match((await other.pulumi([...up])).output, /429 \(request "[^"]+"\) Too many requests/);
      assert.equal(cloud.digitalOcean.reservedIps.all.length, 0);
      assert.notEqual((await other.pulumi([...up])).code, 0);
      // The first one exists, although its answer was lost.
      await other.succeed(...up);
      assert.equal(cloud.digitalOcean.reservedIps.all.length, 2);
      for (const { id } of cloud.digitalOcean.reservedIps.all) await cloud.digitalOcean.reservedIps.delete(id);
    });

    it("goes on by itself when a run is killed", async () => {
      const other = await newProgram();
      other.write('new digitalocean.Volume("volume", { name: "left", region: "fra1", size: 1 });');
      const hanging = cloud.faults.hang("create digitalocean:index/volume:Volume");
      let group = 0;
      const killed = other.pulumi([...up], { onStart: (started) => (group = started) });
      await hanging.asked;
      process.kill(-group, "SIGKILL");
      await killed;
      assert.equal(cloud.digitalOcean.volumes.all.length, 0);
      hanging.release();
      await sleep(200);
      const [volume] = cloud.digitalOcean.volumes.all;
      assert.equal(volume?.inputs.name, "left");
      await cloud.digitalOcean.volumes.delete(volume.id);
    });

    it("boots a droplet with the user data given", async () => {
      await program.succeed(...up);
      address = String((await program.outputs())["address"]);
      await expectBooted(onlyMachine(), address, "hello");
      assert.ok((await onlyMachine().read("/root/.ssh/authorized_keys")).includes(clientKey));
    });

    it("sees no changes afterwards, nor drift", async () => {
      await program.succeed(...up, "--expect-no-changes");
      await program.succeed("refresh", "--yes", "--skip-preview", "--expect-no-changes");
    });

    it("gives the machine its user data", async () => {
      const told = await onlyMachine().succeed("curl --silent http://169.254.169.254/metadata/v1/user-data");
      assert.equal(told, userData("hello"));
    });

    it("enforces its firewall", async () => {
      for (const port of [8080, 8081])
        await onlyMachine().succeed(`python3 -m http.server ${String(port)} >/dev/null 2>&1 &`);
      await sleep(500);
      assert.deepEqual([await answers(address, 8080), await answers(address, 8081)], [true, false]);
      program.write(source("hello", 8081, 1));
      await program.succeed(...up);
      assert.deepEqual([await answers(address, 8080), await answers(address, 8081)], [false, true]);
    });

    it("serves the records", async () => {
      assert.deepEqual(await cloud.resolve("www.example.com", "A"), [address]);
      assert.deepEqual(await cloud.resolve("www.example.com", "AAAA"), [onlyMachine().ipv6]);
      assert.deepEqual(await cloud.resolve("other.example.com", "A"), []);
    });

    itInTestLong("mounts a disk again after a power failure", async () => {
      const machine = onlyMachine();
      await machine.succeed(
        `mkfs.ext4 -q ${link} && mkdir /data && echo '${link} /data ext4 defaults,nofail 0 2' >>/etc/fstab &&
         mount /data && echo kept >/data/file && sync`,
      );
      await machine.kill();
      await machine.powerOn();
      await machine.untilBooted();
      assert.equal(
        await machine.succeed("findmnt --noheadings --output TARGET /data && cat /data/file"),
        "/data\nkept",
      );
    });

    itInTestLong("moves disk and address to the next droplet, with the disk's content", async () => {
      const before = onlyMachine();
      program.write(source("hello again", 8081, 2));
      await program.succeed(...up);
      const machine = onlyMachine();
      assert.notEqual(machine.id, before.id);
      await expectBooted(machine, address, "hello again");
      assert.equal(await machine.succeed(`mount ${link} /mnt && cat /mnt/file`), "kept");
      assert.equal(await machine.succeed(`blockdev --getsize64 ${link}`), String(2 * 1024 ** 3));
    });

    it("shows what somebody deleted behind the program's back", async () => {
      const [assigned] = cloud.digitalOcean.assignments.all;
      await cloud.digitalOcean.assignments.delete(assigned?.id ?? "");
      assert.equal(await answers(address, 22), false);
      assert.equal(await answers(onlyMachine().address, 22), true);
      await program.succeed(...up, "--refresh");
      assert.equal(await answers(address, 22), true);
    });

    it("drops everything of a machine that is cut off", async () => {
      await onlyMachine().cutOff(true);
      assert.equal(await answers(address, 22), false);
      await onlyMachine().cutOff(false);
      assert.equal(await answers(address, 22), true);
    });

    it("goes down to nothing", async () => {
      await program.succeed("destroy", "--yes", "--skip-preview");
      assert.deepEqual(cloud.machines, []);
      assert.deepEqual(await cloud.resolve("www.example.com", "A"), []);
    });
  });

  describe("as AWS", () => {
    let program: Program;
    let outputs: Record<string, unknown>;

    const source = (greeting: string) => `
      const keyPair = new aws.ec2.KeyPair("key", { publicKey: ${JSON.stringify(clientKey)} });
      const securityGroup = new aws.ec2.SecurityGroup("group", {
        ingress: [{ protocol: "tcp", fromPort: 22, toPort: 22, cidrBlocks: ["0.0.0.0/0"], ipv6CidrBlocks: ["::/0"] }],
        egress: [{ protocol: "-1", fromPort: 0, toPort: 0, cidrBlocks: ["0.0.0.0/0"] }],
      });
      const vpc = aws.ec2.getVpcOutput({ default: true });
      const subnetId = aws.ec2.getSubnetsOutput({ filters: [{ name: "vpc-id", values: [vpc.id] }] }).ids[0];
      const { availabilityZone } = aws.ec2.getSubnetOutput({ id: subnetId });
      const name = "/aws/service/debian/release/12/latest/amd64";
      const instance = new aws.ec2.Instance("instance", {
        ami: aws.ssm.getParameterOutput({ name }).value, instanceType: "t3.small", subnetId,
        vpcSecurityGroupIds: [securityGroup.id], keyName: keyPair.keyName,
        userData: ${JSON.stringify(userData(greeting))}, userDataReplaceOnChange: true,
        metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 1 },
      });
      const volume = new aws.ebs.Volume("volume", { availabilityZone, size: 1, encrypted: true });
      const joined = { deleteBeforeReplace: true };
      new aws.ec2.VolumeAttachment("attachment", {
        deviceName: "/dev/sdf", instanceId: instance.id, volumeId: volume.id,
      }, joined);
      const ip = new aws.ec2.Eip("ip", { domain: "vpc" });
      new aws.ec2.EipAssociation("association", {
        allocationId: ip.allocationId, instanceId: instance.id, allowReassociation: true,
      });
      const { zoneId } = aws.route53.getZoneOutput({ name: "example.org" });
      new aws.route53.Record("record", { zoneId, name: "www", type: "A", ttl: 60, records: [ip.publicIp] });
      exports.address = ip.publicIp;
      exports.link = volume.id.apply((id) => "nvme-Amazon_Elastic_Block_Store_" + id.replace("-", ""));`;

    before(async () => {
      program = await newProgram();
      program.write(source("hello"));
    });

    it("refuses a key that isn't the account's", async () => {
      const stranger = await newProgram({ AWS_SECRET_ACCESS_KEY: "wrong" });
      stranger.write('new aws.ec2.Eip("ip", { domain: "vpc" });');
      const { code, output } = await stranger.pulumi([...up]);
      assert.notEqual(code, 0);
      assert.match(output, /api error InvalidClientTokenId: The security token included in the request is invalid/);
    });

    it("boots an instance with the user data given", async () => {
      await program.succeed(...up);
      outputs = await program.outputs();
      await expectBooted(onlyMachine(), String(outputs["address"]), "hello");
      assert.ok((await onlyMachine().read("/home/admin/.ssh/authorized_keys")).includes(clientKey));
      await program.succeed(...up, "--expect-no-changes");
    });

    it("has the disk, the filter and the record", async () => {
      const machine = onlyMachine();
      await machine.succeed(`mkfs.ext4 -q /dev/disk/by-id/${String(outputs["link"])}`);
      await machine.succeed("python3 -m http.server 8080 >/dev/null 2>&1 &");
      await sleep(500);
      assert.equal(await answers(String(outputs["address"]), 22), true);
      assert.equal(await answers(String(outputs["address"]), 8080), false);
      assert.deepEqual(await cloud.resolve("www.example.org", "A"), [outputs["address"]]);
    });

    it("gives user data to the machine, for a token, and not to its containers", async () => {
      const ask = `curl --silent --max-time 2 http://169.254.169.254/latest`;
      const token = `${ask}/api/token --request PUT --header "X-aws-ec2-metadata-token-ttl-seconds: 60"`;
      const machine = onlyMachine();
      const told = await machine.succeed(`${ask}/user-data --header "X-aws-ec2-metadata-token: $(${token})"`);
      assert.equal(told, userData("hello"));
      assert.equal(await machine.succeed(`${ask}/user-data`), "");
      // A container with the machine's own programs.
      const container = `docker run --rm --volume /:/host --entrypoint chroot ${images.registry} /host`;
      assert.equal((await machine.run(`${container} ${token}`)).code, 28); // It waits for an answer in vain.
      assert.equal((await machine.run(`${container} true`)).code, 0);
    });

    itInTestLong("moves disk and address to the next instance", async () => {
      const before = onlyMachine();
      program.write(source("hello again"));
      await program.succeed(...up);
      const machine = cloud.machines.find(({ id }) => id !== before.id);
      assert.ok(machine);
      assert.deepEqual(cloud.machines, [machine]);
      await expectBooted(machine, String(outputs["address"]), "hello again");
      await machine.succeed(`mount /dev/disk/by-id/${String(outputs["link"])} /mnt`);
    });
  });

  itInTestLong("boots a machine of the user's own, with a disk that has content, and fills it", async () => {
    const order = { id: "own", hostname: "own", user: "root", keys: [clientKey], userData: userData("hello") };
    cloud.disks.preload(async (file) => {
      await succeed("mkfs.ext4", ["-q", "-L", "foreign", file]);
    });
    const disk = await cloud.disks.create("own", 1);
    const machine = await cloud.boot(order);
    await expectBooted(machine, machine.address, "hello");
    await machine.plug(disk, "own");
    await machine.succeed("mount LABEL=foreign /mnt && chown nobody /mnt");
    const write = "su --shell /bin/sh nobody --command 'dd if=/dev/zero of=/mnt/file count=8'";
    assert.equal((await machine.run(write)).code, 0);
    await machine.fill("/mnt");
    assert.match((await machine.run(write)).output, /No space left on device/);
    await cloud.remove(machine);
  });

  it("serves DNSimple to its own client", async () => {
    const { account, token, url } = cloud.dnsimple;
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0"; // Programs get the authority by NODE_EXTRA_CA_CERTS.
    try {
      const { zones } = new DNSimple({ accessToken: token, baseUrl: url });
      const record = { name: "www", type: "A" as const, content: "192.0.2.1", ttl: 60 };
      const { data } = await zones.createZoneRecord(account, "example.net", record);
      assert.deepEqual(await cloud.resolve("www.example.net", "A"), ["192.0.2.1"]);
      await zones.updateZoneRecord(account, "example.net", data.id, { content: "192.0.2.2" });
      assert.deepEqual(await cloud.resolve("www.example.net", "A"), ["192.0.2.2"]);
      assert.equal((await zones.listZoneRecords(account, "example.net", { name: "www" })).data.length, 1);
      await zones.deleteZoneRecord(account, "example.net", data.id);
      assert.deepEqual(await cloud.resolve("www.example.net", "A"), []);
      await assert.rejects(zones.listZoneRecords(account, "example.edu"), { status: 404 });
      const stranger = new DNSimple({ accessToken: "wrong", baseUrl: url });
      await assert.rejects(stranger.identity.whoami(), { status: 401 });
    } finally {
      delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    }
  });

  it("removes what a killed one left", async () => {
    const script = `
      import { spawn } from "node:child_process";
      import { TestCloud } from "./test/testCloud/testCloud.ts";
      const cloud = await TestCloud.start();
      const order = { id: "left", hostname: "left", user: "root", keys: [], userData: "#cloud-config" };
      await (await cloud.boot(order)).plug(await cloud.disks.create("left", 1), "left");
      const run = spawn("sleep", ["600"], { env: { ...process.env, ...cloud.env }, detached: true, stdio: "ignore" });
      process.stdout.write(cloud.name + " " + run.pid, () => process.kill(process.pid, "SIGKILL"));
    `;
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", script]);
    const [name = "", sleeping = ""] = stdout.split(" ");
    assert.match(name, /^test-cloud-/);
    const folder = join(tmpdir(), name);
    const server = readFileSync(join(folder, "dnsmasq.pid"), "utf8").trim();
    const left = async () => [
      await docker("network", "ls", "--quiet", "--filter", `name=${name}`),
      await docker("ps", "--all", "--quiet", "--filter", `name=${name}`),
      (await succeed("losetup", ["--all"]))
        .split("\n")
        .filter((line) => line.includes(name))
        .join("\n"),
      existsSync(folder) ? folder : "",
      ...[server, sleeping].filter(isAlive),
    ];
    assert.ok((await left()).every((each) => each !== ""));
    assert.equal((await left()).length, 6);
    // Another process may have its number by now.
    const owner = join(folder, "owner");
    writeFileSync(owner, readFileSync(owner, "utf8").replace(/^\d+/, String(process.pid)));
    await (await TestCloud.start()).dispose();
    assert.deepEqual(await left(), ["", "", "", ""]);
  });
});

/** A zombie no longer has a command. */
function isAlive(pid: string): boolean {
  return existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
}
