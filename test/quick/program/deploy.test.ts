import assert from "node:assert/strict";

import * as pulumi from "@pulumi/pulumi";

import { deploy } from "../../../deploy.ts";
import { find, record, type Recorded, resolve } from "../../support/mocks.ts";
import { computed } from "../../support/providers.ts";
import { localHost, settings } from "../../support/settings.ts";

const name = "private-registry-test";
const container = "docker:index/container:Container";

function containers(resources: Recorded[]): Recorded[] {
  return resources.filter(({ type }) => type === container);
}

describe("the program", () => {
  it("exports the contract: endpoint, url, users, secret passwords, authority and two commands", async () => {
    const { built } = await record(() => deploy(settings), computed);
    assert.deepEqual(await resolve(built.outputs.endpoint), { value: "localhost:5043", secret: false });
    assert.deepEqual(await resolve(built.outputs.url), { value: "https://localhost:5043", secret: false });
    assert.deepEqual(await resolve(built.outputs.usernames), { value: ["admin"], secret: false });
    assert.deepEqual(await resolve(built.outputs.passwords), {
      value: { admin: "generatedpasswordgeneratedpasswo" },
      secret: true,
    });
    assert.match((await resolve(built.outputs.caCertificate)).value, /^-----BEGIN CERTIFICATE-----/);
    assert.match((await resolve(built.outputs.caFingerprint)).value, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    assert.equal((await resolve(built.outputs.loginCommand)).value, "docker login -u admin localhost:5043");
    assert.equal(
      (await resolve(built.outputs.checkCommand)).value,
      "curl -I --cacert <(pulumi stack output caCertificate -s test) -u admin https://localhost:5043/v2/",
    );
    for (const output of [
      built.outputs.caCertificate,
      built.outputs.caFingerprint,
      built.outputs.loginCommand,
      built.outputs.checkCommand,
    ]) {
      assert.equal((await resolve<string>(output)).secret, false);
    }
  });

  it("leaves the port out of the endpoint when it is 443", async () => {
    const { built } = await record(() => deploy({ ...settings, hostname: "registry.example", port: 443 }), computed);
    assert.equal((await resolve(built.outputs.url)).value, "https://registry.example");
  });

  it("quotes a user name that a shell would change", async () => {
    const { built } = await record(
      () => deploy({ ...settings, users: [{ name: "o'neil $HOME", role: "writer" }] }),
      computed,
    );
    assert.equal(
      (await resolve(built.outputs.loginCommand)).value,
      `docker login -u 'o'\\''neil $HOME' localhost:5043`,
    );
  });

  it("reaches the engine at its address, with its client certificate if it has one", async () => {
    const engine = {
      ...localHost.engine,
      host: "tcp://192.168.99.100:2376",
      certPath: "/machines/dev1",
      address: "192.168.99.100",
    };
    const { built, resources } = await record(
      () => deploy({ ...settings, host: { target: "local", engine } }),
      computed,
    );
    const { inputs } = find(resources, "pulumi:providers:docker", `${name}-host-docker`);
    assert.equal(inputs["host"], "tcp://192.168.99.100:2376");
    assert.equal(inputs["certPath"], "/machines/dev1");
    assert.equal((await resolve(built.outputs.endpoint)).value, "192.168.99.100:5043");
  });

  it("deletes each container before another one gets its name, which can exist only once", async () => {
    const host = { ...localHost, dataPath: "/srv/registry" };
    const { resources } = await record(() => deploy({ ...settings, host }), computed);
    const named = containers(resources).filter(({ inputs }) => inputs["name"] !== undefined);
    assert.equal(named.length, 5);
    for (const { name: logical, options } of named) assert.equal(options.deleteBeforeReplace, true, logical);
  });

  it("gives the registry's containers no name, so that each is there until the next one is", async () => {
    const { resources } = await record(() => deploy(settings), computed);
    const others = containers(resources).filter(({ inputs }) => inputs["name"] === undefined);
    assert.deepEqual(
      others.map(({ name: logical, options }) => [logical, options.deleteBeforeReplace]),
      [1, 2].map((replica) => [`${name}-registry-container-${String(replica)}`, false]),
    );
  });

  it("checks a folder for the data before it gives anything in it to the registry's user", async () => {
    const host = { ...localHost, dataPath: "/srv/registry" };
    const { resources } = await record(() => deploy({ ...settings, host }), computed);
    const check = find(resources, container, `${name}-registry-data-check-run`).inputs;
    assert.deepEqual(check["volumes"], [{ hostPath: "/srv/registry", containerPath: "/data", readOnly: true }]);
    assert.deepEqual(check["capabilities"], { drops: ["ALL"], adds: ["CAP_DAC_READ_SEARCH"] });
    const setup = find(resources, container, `${name}-registry-setup-run`);
    assert.ok(setup.options.dependsOn.includes(`${name}-registry-data-check-run`), setup.options.dependsOn.join());
    const { resources: others } = await record(() => deploy(settings), computed);
    assert.ok(!others.some(({ name: logical }) => logical.includes("data-check")));
  });

  it("publishes the proxy's port on loopback for localhost, on all addresses for another name, and no other port", async () => {
    for (const [hostname, ip] of [
      [undefined, "127.0.0.1"],
      ["127.0.0.2", "127.0.0.1"],
      ["registry.example", "0.0.0.0"],
    ]) {
      const { resources } = await record(() => deploy({ ...settings, hostname }), computed);
      const publishing = containers(resources).filter(({ inputs }) => inputs["ports"] !== undefined);
      assert.deepEqual(
        publishing.map(({ inputs }) => [inputs["name"], inputs["ports"]]),
        [[`${name}-proxy`, [{ internal: 8443, external: 5043, ip }]]],
      );
    }
  });

  it("publishes a second port for pulls without a password, and outputs both endpoints", async () => {
    const anonymous = { port: 5044, prefixes: ["public"] };
    const { built, resources } = await record(() => deploy({ ...settings, anonymous }), computed);
    const ports = find(resources, container, `${name}-proxy-container`).inputs["ports"];
    const ip = "127.0.0.1";
    assert.deepEqual(ports, [
      { internal: 8443, external: 5043, ip },
      { internal: 8444, external: 5044, ip },
    ]);
    assert.equal((await resolve(built.outputs.anonymousEndpoint)).value, "localhost:5044");
    const without = await record(() => deploy(settings), computed);
    assert.equal((await resolve(without.built.outputs.anonymousEndpoint)).value, "");
  });

  it("mounts the data read-only into the proxy, wherever it is, and lets only the registry write", async () => {
    for (const dataPath of [undefined, "/srv/registry"]) {
      const { resources } = await record(() => deploy({ ...settings, host: { ...localHost, dataPath } }), computed);
      const mounts = containers(resources).flatMap(({ name: logicalName, inputs }) =>
        (inputs["volumes"] as { containerPath: string; readOnly: boolean; volumeName?: string; hostPath?: string }[])
          .filter(({ containerPath }) => containerPath === "/data")
          .map(({ readOnly, volumeName, hostPath }) => [logicalName, readOnly, volumeName ?? hostPath]),
      );
      const data = dataPath ?? `${name}-data`;
      assert.deepEqual(mounts.sort(), [
        [`${name}-proxy-container`, true, data],
        [`${name}-registry-container-1`, false, data],
        [`${name}-registry-container-2`, false, data],
        ...(dataPath === undefined ? [] : [[`${name}-registry-data-check-run`, true, data]]),
        [`${name}-registry-setup-run`, false, data],
      ]);
    }
  });

  it("puts the registry on the internal network only", async () => {
    const { resources } = await record(() => deploy(settings), computed);
    const network = find(resources, "docker:index/network:Network", `${name}-network`);
    assert.equal(network.inputs["internal"], true);
    for (const replica of [1, 2]) {
      const registry = find(resources, container, `${name}-registry-container-${String(replica)}`).inputs;
      assert.equal(registry["networkMode"], network.inputs["name"]);
      assert.equal(registry["networksAdvanced"], undefined);
    }
  });

  it("hardens every container, and runs none permanently as root", async () => {
    const { resources } = await record(() => deploy(settings), computed);
    for (const { name: logicalName, inputs } of containers(resources)) {
      const { drops, adds = [] } = inputs["capabilities"] as { drops: string[]; adds?: string[] };
      assert.deepEqual(drops, ["ALL"], logicalName);
      assert.deepEqual(inputs["securityOpts"], ["no-new-privileges:true"], logicalName);
      assert.ok(Number(inputs["memory"]) > 0 && inputs["memory"] === inputs["memorySwap"], logicalName);
      assert.match(JSON.stringify(inputs["ulimits"]), /"nproc"/, logicalName);
      assert.deepEqual(inputs["logOpts"], { "max-size": "10m", "max-file": "3" }, logicalName);
      assert.equal(inputs["privileged"], undefined, logicalName);
      const lasts = inputs["restart"] === "unless-stopped";
      assert.equal(inputs["readOnly"] ?? false, lasts, logicalName);
      if (lasts) {
        assert.doesNotMatch(String(inputs["user"]), /^0/, logicalName);
        assert.deepEqual(adds, [], logicalName);
        assert.ok(inputs["healthcheck"], logicalName);
      }
    }
  });

  it("keeps the data volume when it is destroyed, and uses a folder instead if one is set", async () => {
    const volume = await record(() => deploy(settings), computed);
    assert.equal(
      find(volume.resources, "docker:index/volume:Volume", `${name}-registry-data`).inputs["name"],
      `${name}-data`,
    );
    const host = { ...settings.host, dataPath: "/srv/registry" };
    const folder = await record(() => deploy({ ...settings, host }), computed);
    assert.equal(
      folder.resources.some(({ name: logicalName }) => logicalName === `${name}-registry-data`),
      false,
    );
    const registry = find(folder.resources, container, `${name}-registry-container-1`).inputs;
    assert.deepEqual((registry["volumes"] as unknown[])[1], {
      hostPath: "/srv/registry",
      containerPath: "/data",
      readOnly: false,
    });
  });

  it("removes no image from the engine when it is destroyed", async () => {
    const { resources } = await record(() => deploy(settings), computed);
    const images = resources.filter(({ type }) => type === "docker:index/remoteImage:RemoteImage");
    assert.deepEqual(
      images.map(({ inputs }) => inputs["keepLocally"]),
      [true, true],
    );
  });

  it("passes secrets on as secret uploads only: no environment, no command line, no label", async () => {
    const password = pulumi.secret("given-password");
    const { resources } = await record(
      () =>
        deploy({
          ...settings,
          users: [
            { name: "a", role: "writer", password },
            { name: "b", role: "reader" },
          ],
        }),
      computed,
    );
    for (const { name: logicalName, inputs, secrets } of containers(resources)) {
      const { uploads, ...rest } = inputs;
      assert.deepEqual(secrets, uploads === undefined ? [] : ["uploads"], logicalName);
      assert.doesNotMatch(JSON.stringify(rest), /password|\$2y\$|PRIVATE KEY/, logicalName);
    }
    const loader = find(resources, container, `${name}-proxy-loader-run`).inputs["uploads"] as {
      file: string;
      content: string;
    }[];
    const htpasswd = loader.find(({ file }) => file === "/incoming/.htpasswd")?.content ?? "";
    const names = htpasswd
      .trimEnd()
      .split("\n")
      .map((line) => /^(.*):\$2y\$10\$.{53}$/.exec(line)?.[1]);
    // The last one is nobody's, and is checked for unknown names.
    assert.deepEqual(names, ["a", "b", "\u0001"]);
  });

  it("labels every container and network with its stack", async () => {
    const { resources } = await record(() => deploy(settings), computed);
    const labelled = resources.filter(({ type }) => type === container || type === "docker:index/network:Network");
    assert.equal(labelled.length, 8);
    for (const { inputs } of labelled)
      assert.deepEqual((inputs["labels"] as object[]).at(-1), { label: "private-registry.stack", value: name });
  });

  it("puts into the certificate every name that a client may type", async () => {
    const { resources } = await record(() => deploy(settings), computed);
    const { inputs } = find(resources, "tls:index/certRequest:CertRequest", `${name}-certificate-request`);
    assert.deepEqual(inputs["dnsNames"], ["localhost"]);
    assert.deepEqual(inputs["ipAddresses"], ["127.0.0.1", "::1"]);
  });

  it("makes no key and no certificate if one is provided", async () => {
    const certificate = { mode: "provided", bundle: "", key: pulumi.secret("key") } as const;
    const { built, resources } = await record(() => deploy({ ...settings, certificate }), computed);
    assert.equal(
      resources.some(({ type }) => type.startsWith("tls:")),
      false,
    );
    assert.equal((await resolve(built.outputs.caCertificate)).value, "");
    assert.equal((await resolve(built.outputs.checkCommand)).value, "curl -I -u admin https://localhost:5043/v2/");
  });
});
