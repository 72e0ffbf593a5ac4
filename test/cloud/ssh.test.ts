import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { stringify } from "yaml";

import { askCertificate } from "../../cli/status/certificate.ts";
import { namesOf } from "../../components/certificate/chain.ts";
import type { Outputs } from "../../components/outputs.ts";
import { isWhole, itInTestLong } from "../support/matrix.ts";
import { Authority } from "../support/pebble.ts";
import { RemoteCheckout, zones } from "../support/remote.ts";
import { succeed } from "../support/run.ts";
import { assertNames, statusOf } from "../support/status.ts";
import type { Machine } from "../testCloud/machines.ts";
import { TestCloud } from "../testCloud/testCloud.ts";

describe("the stack remote on a machine of the user's own", function () {
  this.timeout(10 * 60_000);

  let folder: string;
  let cloud: TestCloud;
  let machine: Machine;
  let checkout: RemoteCheckout;
  let outputs: Outputs;
  let digest: string;
  /** Of the certificate that an authority issued. */
  let fingerprint: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "ssh-"));
    cloud = await TestCloud.start({ zones, allImages: isWhole });
    for (const key of ["client", "host", "other"])
      await succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", join(folder, key)]);
    const config = {
      users: [
        {
          ...{ name: "deploy", shell: "/bin/bash", sudo: "ALL=(ALL) NOPASSWD:ALL" },
          ssh_authorized_keys: [publicKey("client")],
        },
      ],
      ssh_deletekeys: true,
      ssh_keys: { ed25519_private: readFileSync(join(folder, "host"), "utf8"), ed25519_public: publicKey("host") },
    };
    machine = await cloud.boot({
      ...{ id: "own", hostname: "own", user: "root", keys: [publicKey("client")] },
      userData: `#cloud-config\n${stringify(config)}`,
    });
    await machine.untilBooted();
    // A machine without Docker, with a mirror that has it.
    await machine.succeed(
      "apt-get purge -y docker.io && echo 'deb [trusted=yes] file:/packages ./' >/etc/apt/sources.list",
    );
    checkout = new RemoteCheckout(cloud);
    await checkout.configure({
      target: "ssh",
      hostname: "registry.example.net",
      host: hostWith("host"),
      dns: { provider: "dnsimple", zone: "example.net", account: cloud.dnsimple.account, apiUrl: cloud.dnsimple.url },
    });
    await checkout.setSecret("dns.token", cloud.dnsimple.token);
  });

  after(async () => {
    await checkout.dispose();
    await cloud.dispose();
    rmSync(folder, { recursive: true });
  });

  function publicKey(name: string): string {
    return readFileSync(join(folder, `${name}.pub`), "utf8").trim();
  }

  /** The machine in the settings, with this host key. */
  function hostWith(key: "host" | "other") {
    return { address: machine.address, keyFile: join(folder, "client"), hostKey: publicKey(key) };
  }

  it("refuses a machine that shows another host key, and sends it nothing", async () => {
    checkout.set({ host: hostWith("other") });
    const output = await checkout.upFails();
    assert.match(output, /Host key verification failed/);
    assert.match(output, /nothing was changed/);
    const heard = await machine.succeed("journalctl -u ssh -o cat");
    assert.match(heard, /\[preauth\]/);
    assert.doesNotMatch(heard, /Accepted|Failed|authenticating user/);
    checkout.set({ host: hostWith("host") });
  });

  it("comes up from nothing, installs Docker, has a name at DNSimple, and accepts pushes", async () => {
    assert.notEqual((await machine.run("command -v docker")).code, 0);
    outputs = await checkout.up();
    assert.deepEqual(await cloud.resolve("registry.example.net", "A"), [machine.address]);
    digest = await checkout.push(outputs, "app", "layer");
    await checkout.copies(outputs, "app", digest, "copied");
    await checkout.assertUnchanged();
  });

  it("has a status that is well, and names a machine with another host key and one that is off", async () => {
    assertNames(await statusOf(checkout), 0);
    checkout.set({ host: hostWith("other") });
    assertNames(await statusOf(checkout, "--quick"), 1, ["engine", /another host key .* docs\/runbook\.md/]);
    checkout.set({ host: hostWith("host") });
    await machine.kill();
    assertNames(await statusOf(checkout, "--quick"), 2, ["endpoint", /does not answer/], ["engine", /does not answer/]);
    await machine.powerOn();
    await machine.untilBooted();
  });

  it("continues after a killed run, and after a machine that went off with it", async () => {
    const labelled = "docker ps --all --quiet --filter label=private-registry.stack";
    for (const { port, moment, powerGoes } of [
      { port: 5044, moment: "docker ps | grep -q -- -loader", powerGoes: false },
      { port: 5045, moment: "docker ps | grep -q -- -proxy", powerGoes: true },
    ]) {
      await machine.succeed(`${labelled} | xargs docker rm --force --volumes`);
      checkout.set({ anonymous: { port, prefixes: ["public"] } });
      await checkout.killed("up", (signal) => machine.until(moment, signal));
      if (powerGoes) {
        await machine.kill();
        await machine.powerOn();
      }
      await machine.untilBooted();
    }
    outputs = await checkout.up();
    assert.equal(await checkout.pulls(outputs, "app", digest), true);
  });

  it("comes back on a machine that has lost everything, with its record that somebody removed by hand", async () => {
    await machine.succeed("docker rm -f $(docker ps -aq) && docker network prune -f && docker volume prune -f");
    await cloud.dnsimple.forget("registry");
    assert.deepEqual(await cloud.resolve("registry.example.net", "A"), []);
    outputs = await checkout.up();
    assert.deepEqual(await cloud.resolve("registry.example.net", "A"), [machine.address]);
    digest = await checkout.push(outputs, "app", "another layer");
    const { stdout } = await checkout.pulumi("stack", "export");
    assert.match(stdout, /DnsimpleRecord/);
    assert.ok(!stdout.includes(cloud.dnsimple.token));
  });

  it("completes an interrupted installation of Docker, and moves its record once the token is accepted", async () => {
    checkout.set({ hostname: "other.example.net" });
    await checkout.setSecret("dns.token", "wrong");
    assert.match(await checkout.upFails(), /DNSimple refuses the record in example\.net: the token is not accepted/);
    await checkout.setSecret("dns.token", cloud.dnsimple.token);
    await machine.succeed("systemctl stop docker.socket docker.service && dpkg --unpack /packages/docker.io_*.deb");
    assert.match(await machine.succeed("dpkg --audit docker.io"), /docker\.io/);
    outputs = await checkout.up();
    assert.equal(await machine.succeed("dpkg --audit docker.io"), "");
    assert.deepEqual(await cloud.resolve("other.example.net", "A"), [machine.address]);
    assert.deepEqual(await cloud.resolve("registry.example.net", "A"), []);
  });

  itInTestLong(
    "gets a certificate from an authority at its free port 80, and renews it when that wants it",
    async () => {
      const authority = await Authority.start({ httpPort: 80, listen: cloud.gateway });
      try {
        await authority.names.setA("other.example.net", machine.address);
        const trusted = `${await authority.root()}${authority.tlsRoot}`;
        checkout.set({ certificate: { mode: "acme", server: authority.directory, authority: trusted } });
        await machine.succeed("systemd-run --unit web python3 -m http.server 80");
        const taken = /certificate\.httpPort: port 80 of 0\.0\.0\.0 is taken by another program/;
        assert.match(await checkout.upFails(), taken);
        await machine.succeed("systemctl stop web");

        outputs = await checkout.up();
        const { certificate: first } = await askCertificate(outputs);
        assert.deepEqual(namesOf(first), ["other.example.net"]);
        assert.match(await checkout.makes("renew"), /It is not due yet/);
        await authority.suggestRenewal(first);
        assert.match(await checkout.makes("renew"), /The authority has issued a new certificate/);
        const { certificate: second } = await askCertificate(outputs);
        assert.notEqual(second.fingerprint256, first.fingerprint256);
        assert.equal(await checkout.pulls(outputs, "app", digest), true);
        fingerprint = second.fingerprint256;
      } finally {
        await authority.dispose();
      }

      const status = await statusOf(checkout, "--quick");
      assertNames(status, 0);
      const told = (about: string) => status.findings.find((finding) => finding.about === about)?.what ?? "";
      assert.match(told("certificate"), /^other\.example\.net; by Pebble .* renewed by itself/);
      assert.match(told("renewal"), /^a certificate was issued at/);
      const logs = await checkout.makes("logs");
      assert.match(logs, /-acme-lego .*The server validated our request/);
      assert.match(logs, /-acme-certifier .*"result":"issued"/);
    },
  );

  it("leaves the machine as it was, except for the data volume, when it is destroyed", async () => {
    const output = await checkout.makes("destroy");
    const kept = [...(isWhole ? ["acme-state"] : []), "data"].map((each) => `${checkout.name}-${each}`);
    for (const volume of kept) assert.match(output, new RegExp(`Kept: volume ${volume} `));
    assert.equal((await machine.succeed("docker ps -aq; docker network ls -q --filter type=custom")).trim(), "");
    assert.deepEqual((await machine.succeed("docker volume ls -q")).trim().split("\n").sort(), kept);
    assert.deepEqual(await cloud.resolve("other.example.net", "A"), []);
  });

  itInTestLong(
    "has all pushed images and its certificate when it is up again, also without the authority",
    async () => {
      outputs = await checkout.up();
      assert.equal(await checkout.pulls(outputs, "app", digest), true);
      assert.equal((await askCertificate(outputs)).certificate.fingerprint256, fingerprint);
    },
  );

  it("leaves nothing when it is purged", async () => {
    await checkout.makes("purge");
    const lists = "docker ps -aq; docker network ls -q --filter type=custom; docker volume ls -q";
    assert.equal(await machine.succeed(lists), "");
  });
});
