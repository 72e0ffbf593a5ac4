import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createServer } from "node:tls";

import { askCertificate, judgeCertificate } from "../../../cli/status/certificate.ts";
import { told } from "../../../cli/status/changes.ts";
import { askDisk, type Image, judgeContainers, judgeDisk, parseDisk } from "../../../cli/status/containers.ts";
import { exitCodes, type Finding, type Result, resultOf } from "../../../cli/status/finding.ts";
import { judgeCollection } from "../../../cli/status/collection.ts";
import { judgeRenewal } from "../../../cli/status/renewal.ts";
import type { JobResult } from "../../../components/care/keeper/results.ts";
import type { Outcome } from "../../../components/certificate/acme/renewal.ts";
import type { Outputs } from "../../../components/outputs.ts";
import { issue } from "../../support/certificates.ts";

describe("make status", () => {
  describe("of a stack that can't be opened", () => {
    const folder = mkdtempSync(join(tmpdir(), "status-"));
    const { version } = JSON.parse(readFileSync("node_modules/pulumi/package.json", "utf8")) as { version: string };
    const cli = join(folder, "home/versions", version, "bin");
    before(() => {
      mkdirSync(cli, { recursive: true });
      writeFileSync(join(cli, "pulumi"), "", { mode: 0o755 });
      mkdirSync(join(folder, ".state/.pulumi"), { recursive: true });
      mkdirSync(join(folder, "bootstrap"));
      writeFileSync(join(folder, "bootstrap/install-tools"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
      symlinkSync(resolve("node_modules"), join(folder, "node_modules"));
    });
    after(() => rmSync(folder, { recursive: true }));

    for (const [what, home, expected] of [
      ["because its passphrase is missing", "home", /^The stacks in \.state\/ were encrypted .* restore/],
      ["because the tools can't be installed", "nowhere", /^can't be read: a command failed, and printed why$/],
    ] as const)
      it(`can't be told ${what}`, () => {
        const env = {
          ...process.env,
          PULUMI_HOME: join(folder, home),
          PULUMI_BACKEND_URL: "",
          PULUMI_ACCESS_TOKEN: "",
        };
        const asked = [resolve("cli/main.ts"), "status", "test", "--json"];
        const { status, stdout, stderr } = spawnSync(process.execPath, asked, { cwd: folder, env, encoding: "utf8" });
        assert.equal(status, 2, stderr);
        const { result, findings } = JSON.parse(stdout) as { result: Result; findings: Finding[] };
        assert.deepEqual([result, findings.map(({ about, is }) => [about, is])], ["unknown", [["stack", "unknown"]]]);
        assert.match(findings[0]?.what ?? "", expected);
      });
  });

  const finding = (is: Finding["is"]): Finding => ({ about: "this", is, what: "so" });

  it("ends with 1 if something is wrong, else with 2 if something is unknown", () => {
    const codeOf = (...all: Finding["is"][]) => exitCodes[resultOf(all.map(finding))];
    assert.deepEqual(
      [codeOf(), codeOf("well", "note"), codeOf("well", "unknown"), codeOf("unknown", "wrong", "well")],
      [0, 0, 2, 1],
    );
  });

  it("judges a certificate by the share of its life that is left", () => {
    const day = 24 * 60 * 60 * 1000;
    // Valid for 500 days.
    const { certificate } = issue({ commonName: "localhost", names: "DNS:localhost,IP:::1", days: 100 });
    const served = { certificate: new X509Certificate(certificate), issuers: [] };
    const at = (days: number, distrusted?: string) =>
      judgeCertificate({ ...served, distrusted }, "selfSigned", new Date(Date.now() + days * day), "dev1");
    assert.equal(at(-30).is, "well");
    assert.match(
      at(-30).what,
      /^localhost, ::1; by localhost; 129 days left, until .*; make up STACK=dev1 renews it from /,
    );
    assert.deepEqual([at(-26).is, at(-24).is], ["well", "wrong"]);
    assert.match(at(-24).what, /123 days left, .*To renew it: make up STACK=dev1$/);
    assert.match(at(101).what, /^ran out on .*To renew it: make up STACK=dev1$/);
    assert.match(at(-401).what, /^is valid from .* only$/);
    assert.match(at(-30, "self-signed certificate").what, /^clients don't trust .*: self-signed certificate$/);
  });

  it("judges a certificate by the first of its chain to run out, and names it", async () => {
    const root = issue({ commonName: "Root", days: 3000 });
    const issuer = issue({ commonName: "Issuer", issuer: root, days: 20 });
    const leaf = issue({ commonName: "localhost", names: "DNS:localhost", issuer, days: 100 });
    const server = createServer({ cert: leaf.certificate + issuer.certificate, key: leaf.key }).listen(0);
    await once(server, "listening");
    try {
      const { port } = server.address() as AddressInfo;
      const url = `https://localhost:${String(port)}`;
      const caCertificate = root.certificate;
      const served = await askCertificate({ url, address: "", records: [], caCertificate } as unknown as Outputs);
      const at = (days: number) =>
        judgeCertificate(served, "provided", new Date(Date.now() + days * 24 * 60 * 60 * 1000), "dev1");
      assert.equal(at(-200).is, "well");
      assert.match(
        at(-200).what,
        /; 219 days left, until \d{4}-\d\d-\d\d, when its issuer Issuer runs out; renewed by/,
      );
      assert.deepEqual([at(0).is, at(0).facts?.["daysLeft"]], ["wrong", 19]);
      assert.match(at(0).what, /; 19 days left, until .*, when its issuer Issuer runs out\. Get a new one/);
      assert.match(at(21).what, /^its issuer Issuer ran out on .*\. Get a new one/);
    } finally {
      server.close();
    }
  });

  it("counts what `make up` would change, but not what stays", () => {
    assert.deepEqual(told({ same: 30 }, "dev1"), { is: "well", what: "none: the settings are deployed" });
    assert.deepEqual(told({ same: 30, update: 1, replace: 2, create: 0 }, "dev1"), {
      is: "note",
      what: "1 to update, 2 to replace. To see them: make preview STACK=dev1",
    });
  });

  it("reads how full a disk is, whether or not its images were counted", () => {
    const blocks = "/dev/vda1 1000 600 400 60% /data\n";
    const entries = "/dev/vda1 200 190 10 95% /data\n";
    assert.deepEqual(parseDisk(`${blocks}${entries}500\n`), {
      ...{ size: 1_024_000, free: 409_600, freeEntries: 0.05, used: 512_000 },
    });
    assert.equal(parseDisk(`${blocks}${entries}\n`).used, undefined);
    assert.equal(parseDisk(`//nas/my ${blocks}${entries}\n`).size, 1_024_000);
    assert.throws(() => parseDisk(""), /the disk can't be read/);
    // btrfs has no fixed number of entries.
    assert.equal(parseDisk(`${blocks}/dev/vda1 0 0 0 - /data\n`).freeEntries, 1);
  });

  it("asks df for each figure once, and fails if df does", async () => {
    const folder = mkdtempSync(join(tmpdir(), "disk-"));
    const path = process.env["PATH"] ?? "";
    const program = (name: string, script: string) =>
      writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    try {
      process.env["PATH"] = `${folder}:${path}`;
      // `docker exec CONTAINER sh -c SCRIPT`
      program("docker", 'shift 2; exec "$@"');
      program("df", `echo "$1" >>${folder}/asked; echo Filesystem; echo "/dev/vda1 1000 600 400 60% /data"`);
      assert.equal((await askDisk("1", false)).free, 409_600);
      assert.equal(readFileSync(join(folder, "asked"), "utf8"), "-Pk\n-Pi\n");
      program("df", "echo no such disk >&2; exit 1");
      await assert.rejects(askDisk("1", false), /no such disk/);
    } finally {
      process.env["PATH"] = path;
      rmSync(folder, { recursive: true });
    }
  });

  it("asks for a person if a disk has less than a tenth of its bytes or entries left", () => {
    const disk = { size: 50e9, free: 6e9, freeEntries: 1, used: undefined };
    assert.equal(judgeDisk(disk).what, "6 GB of 50 GB free");
    assert.equal(judgeDisk({ ...disk, free: 4.9e9 }).is, "wrong");
    assert.match(judgeDisk({ ...disk, freeEntries: 0.05 }).what, /free, 5 % of the entries for files: under a tenth/);
  });

  it("names each container by its role, and one that is missing", () => {
    const container = {
      id: "1",
      role: "registry",
      state: "running",
      health: "starting",
      said: "",
      image: "a",
    } as const;
    const judged = judgeContainers("registry", [container], [{ id: "a", names: ["registry:1"] }], "registry:1", "dev1");
    assert.deepEqual(
      judged.map(({ about, is }) => [about, is]),
      [
        ["registry 1", "note"],
        ["registry", "wrong"],
      ],
    );
    const [proxy] = judgeContainers("proxy", [{ ...container, role: "proxy" }], [], "nginx:1", "dev1");
    assert.equal(proxy?.about, "proxy");
  });

  it("knows the wanted image by its id, and by its names only if it is not on the engine", () => {
    const container = { id: "1", role: "proxy", state: "running", health: "healthy", said: "", image: "old" } as const;
    const judge = (...images: Image[]) => judgeContainers("proxy", [container], images, "nginx:1", "dev1")[0];
    const old = { id: "old", names: ["nginx:1"] };
    assert.equal(judge(old)?.what, "healthy, nginx:1");
    assert.equal(judge({ ...old, wanted: ["nginx:1"] })?.is, "well");
    assert.equal(judge({ id: "old", names: ["mine:1"], wanted: ["nginx:1"] })?.what, "healthy, nginx:1");
    const moved = judge(
      { id: "old", names: ["nginx:1", "nginx@sha256:a"] },
      { id: "new", names: [], wanted: ["nginx:1"] },
    );
    assert.equal(moved?.is, "note");
    assert.equal(moved.what, "healthy, nginx@sha256:a; the settings want nginx:1");
  });

  it("tells what the last try to renew the certificate came to, and that one takes too long", () => {
    const at = (minutes: number) => new Date(Date.UTC(2026, 10, 29, 14, minutes));
    const good: Outcome = {
      ...{ at: at(0).toISOString(), result: "kept", failures: 0, next: at(10).toISOString() },
      ...{ failed: [], asked: [], settings: "" },
    };
    const bad: Outcome = { ...good, result: "failed", failures: 2, why: "error: refused" };
    const judge = (outcome: Outcome | undefined, now: Date) => {
      const { is, what } = judgeRenewal(outcome, "dev1", now);
      return `${is}: ${what}`;
    };
    assert.equal(judge(undefined, at(5)), "note: the first try is under way");
    assert.equal(
      judge(good, at(5)),
      "well: it was not due at 2026-11-29 14:00 UTC; looks again at 2026-11-29 14:10 UTC",
    );
    assert.match(
      judge({ ...good, result: "issued" }, at(5)),
      /^well: a certificate was issued at 2026-11-29 14:00 UTC;/,
    );
    assert.equal(
      judge({ ...good, result: "begun" }, at(11)),
      "note: a try has been under way since 2026-11-29 14:00 UTC",
    );
    assert.match(judge({ ...good, result: "begun" }, at(26)), /^wrong: no try has ended since/);
    assert.match(judge(good, at(26)), /^wrong: no try has ended since 2026-11-29 14:10 UTC\. .* make logs STACK=dev1$/);
    assert.match(
      judge(bad, at(5)),
      /^wrong: error: refused\. Tried 2 times, the next time at 2026-11-29 14:10 UTC\. .* make renew STACK=dev1$/,
    );
  });

  it("tells what the last collection came to, and when the next one is", () => {
    const good: JobResult = {
      ...{ job: "collect", began: "2026-11-29T03:30:00.000Z", ended: "2026-11-29T03:31:00.000Z" },
      ...{ result: "done", isDry: false, summary: {} },
    };
    const judge = (result: JobResult | undefined, scheduled: string | undefined, now: string) => {
      const { is, what } = judgeCollection(result, scheduled, "dev1", new Date(`${now}Z`));
      return `${is}: ${what}`;
    };
    const [noon, nextNoon] = ["2026-11-29T12:00:00", "2026-11-30T12:00:00"] as const;
    assert.equal(judge(undefined, undefined, noon), "note: none yet; none is scheduled");
    assert.equal(judge(undefined, "03:30", noon), "note: none yet; the next one at 2026-11-30 03:30 UTC");
    assert.equal(
      judge(good, "03:30", noon),
      "well: done at 2026-11-29 03:31 UTC; the next one at 2026-11-30 03:30 UTC",
    );
    assert.match(
      judge({ ...good, isDry: true }, undefined, noon),
      /^well: .*, which only told what would go: make gc DRY=1; none/,
    );
    assert.match(
      judge(good, "03:30", nextNoon),
      /^wrong: none has ended since 2026-11-29 03:31 UTC\. .* make logs STACK=dev1$/,
    );
    assert.equal(judge(good, undefined, nextNoon), "well: done at 2026-11-29 03:31 UTC; none is scheduled");
    assert.match(
      judge({ ...good, result: "failed", why: "no room" }, "03:30", noon),
      /^wrong: failed at 2026-11-29 03:31 UTC: no room\. To try at once: make gc STACK=dev1$/,
    );
  });
});
