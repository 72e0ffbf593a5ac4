import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type { Outcome, RenewalSettings } from "../../components/certificate/acme/renewal.ts";
import { images } from "../../settings/images.ts";
import { docker, run } from "../support/run.ts";

const settings: RenewalSettings = {
  names: ["registry.example.com"],
  server: "https://acme.example.com/directory",
  keyType: "ec256",
};

/** The program in its image, without lego: what it asks for, nobody does. */
describe("the certifier", function () {
  this.timeout(120_000);

  const name = `private-registry-certifier-${randomBytes(4).toString("hex")}`;
  const folder = mkdtempSync(join(tmpdir(), "certifier-"));

  before(() => {
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, "settings.json"), JSON.stringify(settings));
  });

  afterEach(() => docker("rm", "--force", name));
  after(async () => {
    await run("docker", ["volume", "rm", "--force", name]);
    rmSync(folder, { recursive: true });
  });

  const begin = (options: readonly string[], command: readonly string[]) =>
    docker(
      ...["run", "--detach", "--name", name, "--network", "none", "--read-only", "--user", "101:101"],
      ...["--tmpfs", "/tmp", "--tmpfs", "/certificate:uid=101", "--tmpfs", "/challenges:uid=101", ...options],
      ...["--volume", `${resolve("components")}:/program:ro`, "--volume", `${folder}:/settings:ro`],
      ...[images.node.reference, ...command],
    );
  const start = (...options: readonly string[]) =>
    begin(options, ["node", "/program/certificate/acme/certifier.ts", "/settings"]);
  const inside = async (script: string) => (await docker("exec", name, "sh", "-c", script)).trim();

  async function until(condition: () => Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < 100; tries++, await sleep(100)) if (await condition()) return;
    assert.fail((await run("docker", ["logs", name])).output);
  }

  it("asks for no certificate that there is no room for, and says so", async () => {
    await start("--tmpfs", "/acme:size=200k,uid=101");
    await until(async () => (await run("docker", ["logs", name])).output.includes('"result":"failed"'));
    const { output } = await run("docker", ["logs", name]);
    assert.match(output, /"why":"the disk with account and certificates is full"/);
    assert.equal(await inside("ls /acme/request 2>/dev/null || true"), "");
    await until(async () => (await inside("cat /tmp/unwell || true")).includes("is full"));
    assert.equal(await docker("inspect", "--format", "{{.State.Running}}", name), "true");
  });

  it("is answered by lego's container: to a request from before its start, and with a failure to one that was cut short", async () => {
    writeFileSync(join(folder, "lego"), '#!/bin/sh\necho "asked: $*"\n', { mode: 0o755 });
    const lego = ["--volume", `${folder}/lego:/lego:ro`, "--env", "SETTINGS=/settings"];
    const worlds = { request: "asked: one two words 0", taken: "the try was cut short 1" };
    for (const [file, answer] of Object.entries(worlds)) {
      const script = `printf 'one\ntwo words\n' >/acme/${file}; exec sh /program/certificate/acme/obtain.sh`;
      await begin(["--tmpfs", "/acme:uid=101", ...lego], ["sh", "-c", script]);
      await until(async () => (await inside("ls /acme")).includes("answer"));
      await until(async () => !/taken|request/.test(await inside("ls /acme")));
      assert.equal((await inside("cat /acme/printed /acme/answer")).replace("\n", " "), answer);
      await docker("rm", "--force", name);
    }
  });

  it("doesn't ask again at once after it was killed in the middle of a try", async () => {
    await docker("run", "--rm", "--volume", `${name}:/acme`, images.node.reference, "chown", "101:101", "/acme");
    await start("--volume", `${name}:/acme`);
    await until(async () => (await inside("ls /acme/request 2>/dev/null || true")) !== "");
    const words = await inside("cat /acme/request");
    assert.match(words, /--domains\nregistry\.example\.com\n[^]*\nrun$/);
    await docker("kill", "--signal", "KILL", name);
    await docker("start", name);
    await inside("rm /acme/request");
    await sleep(3000);
    assert.equal(await inside("ls /acme/request 2>/dev/null || true"), "");
    const { result, failures, next } = JSON.parse(await inside("cat /acme/outcome.json")) as Outcome;
    assert.deepEqual([result, failures], ["begun", 1]);
    const wait = (Date.parse(next) - Date.now()) / 1000;
    assert.ok(wait > 60 && wait <= 120, `it waits for ${String(wait)} s`);

    // But when somebody asks for it.
    await inside("echo now >>/acme/now");
    await until(async () => (await inside("ls /acme/request 2>/dev/null || true")) !== "");
    await inside("echo 'error: refused' >/acme/printed; echo 1 >/acme/answer; rm /acme/request");
    await until(async () => (await inside("cat /acme/outcome.json")).includes('"why":"error: refused"'));
    const outcome = JSON.parse(await inside("cat /acme/outcome.json")) as Outcome;
    assert.deepEqual([outcome.result, outcome.failures, outcome.asked], ["failed", 2, ["now"]]);
  });
});
