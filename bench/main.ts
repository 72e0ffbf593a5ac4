// Compares this stack with others on this machine: `make bench`, see bench/run.
// Prints the table of ratios, and writes the whole report to bench/results.md and bench/results.svg.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

import { Checkout } from "../test/support/checkout.ts";
import type { Transfer } from "./client.ts";
import { command, docker, finish, interruptible, say } from "./commands.ts";
import { writeBlob } from "./data.ts";
import { usageOf } from "./engine.ts";
import { authorizationOf, Load } from "./load.ts";
import { describeClients, describeMachine } from "./machine.ts";
import { plot } from "./plot.ts";
import { idsOf, type Measured, number, ratioTable, report, subjects, targetTable, type Values } from "./report.ts";
import { putStaticFile, readImages, type Subject, Subjects } from "./subjects.ts";

const rounds = Number(process.env["ROUNDS"] ?? 5);
const megabytes = Number(process.env["BLOB_MB"] ?? 500);
/** How long manifests are requested: 150 requests at 15 per second, the slowest subject. */
const seconds = 10;
/** How many times in a row the large blob is pulled. */
const pulls = 3;

finish(main());

async function main(): Promise<void> {
  if (!(rounds >= 1 && megabytes >= 1)) throw new Error("ROUNDS and BLOB_MB must be numbers of at least 1.");
  const images = readImages();
  // Clients read what they send from memory, so that it causes no disk access.
  const folder = mkdtempSync("/dev/shm/private-registry-bench-");
  const configs = mkdtempSync(join(tmpdir(), "private-registry-bench-"));
  const checkout = new Checkout();
  const all = new Subjects(checkout, configs);
  try {
    say("starting the subjects…");
    const started = await all.start();
    const load = new Load(await authorizationOf(checkout), configs);
    const bench = new Bench(load, join(folder, "blob"));
    for (const subject of started) await bench.prepare(subject);

    const measured = Object.fromEntries(idsOf(subjects).map((id) => [id, [] as Values[]])) as Record<
      keyof Measured,
      Values[]
    >;
    for (let round = 1; round <= rounds; round++) {
      for (const subject of started) {
        const values = await bench.measure(subject, `round ${String(round)}`);
        measured[subject.id].push(values);
        say(`round ${String(round)} of ${String(rounds)}, ${subjects[subject.id]}: ${textOf(values)}`);
      }
    }
    const date = new Date().toISOString().slice(0, 10);
    const circumstances = {
      date,
      machine: [...(await describeMachine(Object.values(images))), await describeClients()],
      rounds,
      megabytes,
      seconds,
      pulls,
    };
    writeFileSync("bench/results.md", report(measured, circumstances));
    writeFileSync("bench/results.svg", plot(measured));
    console.log(`\n${ratioTable(measured)}\n\n${targetTable(measured)}`);
  } finally {
    await all.dispose();
    rmSync(folder, { recursive: true });
    rmSync(configs, { recursive: true });
  }
}

/** The measurements of each subject. The blob to push is a file in memory. */
class Bench {
  private readonly load: Load;
  private readonly blob: string;

  constructor(load: Load, blob: string) {
    this.load = load;
    this.blob = blob;
  }

  /** The blob that is pulled from all subjects. */
  private pulled = "";

  /** Pushes what is pulled later, and warms the subject up. */
  async prepare(subject: Subject): Promise<void> {
    say(`warming up: ${subjects[subject.id]}`);
    this.pulled = writeBlob(this.blob, "pull", megabytes);
    if (subject.id === "f") putStaticFile(subject, this.blob);
    await this.wait(subject);
    if (subject.id !== "f") {
      await this.load.pushBlob(subject, this.blob, this.pulled);
      await this.load.pushImages(subject, "latest", "pull");
      await this.load.request(subject, 4);
      await this.load.pullImages(subject, "latest");
    }
    await this.load.pullBlob(subject, this.pulled, 1);
  }

  async measure(subject: Subject, round: string): Promise<Values> {
    const { load } = this;
    const pull = await this.transfer(subject, () => load.pullBlob(subject, this.pulled, pulls));
    if (subject.id === "f") return { pull: pull.speed, pullCpu: pull.cpu, memory: pull.memory };

    const requests = await load.request(subject, seconds);
    const pullImages = await this.transfer(subject, () => load.pullImages(subject, "latest"));
    const pushImages = await this.transfer(subject, () => load.pushImages(subject, "pushed", `${subject.id} ${round}`));
    const hex = writeBlob(this.blob, `${subject.id} ${round}`, megabytes);
    const push = await this.transfer(subject, () => load.pushBlob(subject, this.blob, hex));
    // The blob is not needed again, and the disk must not fill up.
    rmSync(join(subject.data, "docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex), { recursive: true });
    return {
      requests: requests.perSecond,
      p99: requests.p99,
      pull: pull.speed,
      pullCpu: pull.cpu,
      pullImages: pullImages.speed,
      push: push.speed,
      pushCpu: push.cpu,
      pushImages: pushImages.speed,
      written: push.written,
      memory: Math.max(pull.memory, pullImages.memory, pushImages.memory, push.memory),
    };
  }

  /** Megabytes per second; CPU seconds per gigabyte; bytes written per byte; MiB of memory afterwards. */
  private async transfer({ containers }: Subject, transfer: () => Promise<Transfer>) {
    // Flushes what the previous measurement left to write.
    await command("sync", []);
    const before = await interruptible(() => usageOf(containers));
    const { bytes, seconds } = await transfer();
    const after = await interruptible(() => usageOf(containers));
    return {
      speed: bytes / 1e6 / seconds,
      cpu: (after.cpu - before.cpu) / (bytes / 1e9),
      written: (after.written - before.written) / bytes,
      memory: after.memory / 2 ** 20,
    };
  }

  private async wait(subject: Subject): Promise<void> {
    for (let tries = 0; tries < 50; tries++) {
      if (await this.load.answers(subject)) return;
      await setTimeout(200);
    }
    throw new Error(`${subjects[subject.id]} doesn't answer:\n${await docker("logs", subject.containers[0] ?? "")}`);
  }
}

function textOf(values: Values): string {
  return Object.entries(values)
    .map(([metric, value]) => `${metric} ${number(value)}`)
    .join(", ");
}
