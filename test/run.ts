// Runs the tests in two lanes side by side, then prints one report for both. Its last line: `N passed, N failed`.
//   node test/run.ts [ONLY]     only the tests of a file, a folder, or whose title has these words
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

import { Remains } from "./support/remains.ts";
import { Remains as CloudRemains } from "./testCloud/remains.ts";

interface Failure {
  readonly title: string;
  readonly reason: string;
}

/** What the reporter writes. */
interface Report {
  readonly passed: number;
  readonly skipped: number;
  readonly failed: readonly Failure[];
  readonly times: readonly { readonly title: string; readonly seconds: number }[];
}

const nothing: Report = { passed: 0, skipped: 0, failed: [], times: [] };

interface Lane {
  readonly name: string;
  readonly files: readonly string[];
  /** Ports of loopback that no other lane uses. */
  readonly ports: string;
}

interface Outcome extends Report {
  readonly lane: string;
  readonly seconds: number;
}

const [only = ""] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "lanes-"));
const running = new Set<ChildProcess>();
let isStopped = false;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, stopAll);
void main();

async function main(): Promise<void> {
  await clearAway();
  const files = testFiles();
  const chosen = files.filter(isChosen);
  const lanes = lanesOf(chosen.length > 0 ? chosen : files).filter((lane) => lane.files.length > 0);
  const outcomes = await Promise.all(lanes.map((lane) => runLane(lane, chosen.length > 0 ? [] : ["--fgrep", only])));
  rmSync(folder, { recursive: true });
  if (isStopped) {
    // A killed process stays listed until its parent has noticed.
    await sleep(1000);
    await clearAway();
  }
  process.exitCode = isStopped ? 130 : report(outcomes);
}

function testFiles(): string[] {
  const names = readdirSync("test", { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `test/${name}`)
    .sort();
}

/** Whether ONLY names a file, with `*` for any part of a name; without ONLY every file is chosen. */
function isChosen(file: string): boolean {
  const pattern = only.replaceAll(/[^\w/*-]/g, "\\$&").replaceAll(/\*+/g, "[^/]*");
  return only === "" || new RegExp(`^${pattern}(/|$)`).test(file);
}

/**
 * Of the tests on this machine's engine, those that run in the other lane, so that both take about as long. They are the
 * ones with most load, and would disturb each other.
 */
const moved: readonly string[] = ["test/engine/replacement.test.ts", "test/engine/torture.test.ts"];

/** Every file is in one lane: this machine's engine, or machines in a cloud. Tests that need neither come first. */
function lanesOf(files: readonly string[]): Lane[] {
  const isCloud = (file: string) => file.startsWith("test/cloud/") || moved.includes(file);
  const isEngine = (file: string) => file.startsWith("test/engine/") && !isCloud(file);
  const isQuick = (file: string) => !isCloud(file) && !isEngine(file);
  return [
    { name: "engine", files: [...files.filter(isQuick), ...files.filter(isEngine)], ports: "20000-25999" },
    { name: "cloud", files: files.filter(isCloud), ports: "26000-31999" },
  ];
}

/** Removes what killed tests have left; running ones keep theirs. */
async function clearAway(): Promise<void> {
  for (const left of [...Remains.nobodys(), ...CloudRemains.nobodys()]) {
    console.log(`▸ Taking away what a test that was killed left: ${left.folder}`);
    await left.remove();
  }
}

async function runLane({ name, files, ports }: Lane, options: readonly string[]): Promise<Outcome> {
  const file = join(folder, name);
  const began = Date.now();
  // Without colours, which mocha also writes into a log if CI is set.
  const mocha = ["node_modules/.bin/mocha", "--no-color", ...options, ...files];
  // Its own process group, which a signal of the terminal doesn't reach.
  const child = spawn(process.execPath, mocha, {
    env: { ...process.env, LANE_REPORT: file, TEST_PORTS: ports },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  for (const stream of [child.stdout, child.stderr]) show(name, stream);
  const end = await new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(signal ?? `exit code ${String(code)}`));
  });
  running.delete(child);
  return { lane: name, seconds: (Date.now() - began) / 1000, ...readReport(file, name, end) };
}

/** Line by line, so that those of two lanes don't mix. */
function show(lane: string, stream: Readable): void {
  createInterface(stream).on("line", (line) => console.log(`${lane.padEnd(6)} │ ${line}`.trimEnd()));
}

/** A lane that ends before its report has failed, as it may not have run all its tests; so has one that breaks after it. */
function readReport(file: string, lane: string, end: string): Report {
  const title = `the lane ${lane}`;
  if (!existsSync(file)) return { ...nothing, failed: [{ title, reason: `ended before its report, by ${end}` }] };
  const report = JSON.parse(readFileSync(file, "utf8")) as Report;
  if (report.failed.length > 0 || end === "exit code 0") return report;
  return { ...report, failed: [{ title, reason: `ended by ${end} after its report` }] };
}

/** Prints the outcome of all lanes; returns the exit code. */
function report(outcomes: readonly Outcome[]): number {
  const times = outcomes.flatMap(({ lane, times }) => times.map((each) => ({ ...each, lane })));
  const slowest = times.sort((one, other) => other.seconds - one.seconds).slice(0, 10);
  const failed = outcomes.flatMap((outcome) => outcome.failed.map((failure) => ({ ...failure, lane: outcome.lane })));
  const line = (seconds: number, lane: string, text: string) =>
    console.log(`  ${seconds.toFixed(0).padStart(5)} s  ${lane.padEnd(6)}  ${text}`);

  console.log("\nThe ten slowest tests, and what is done before and after them:");
  for (const { seconds, lane, title } of slowest) line(seconds, lane, title);
  console.log("\nThe lanes:");
  for (const { seconds, lane, ...counts } of outcomes) line(seconds, lane, counted(counts));
  if (failed.length > 0) console.log("\nFailed:");
  for (const { title, reason, lane } of failed) console.log(`  ${lane}: ${title}\n${shortened(reason)}`);

  const total = {
    passed: outcomes.reduce((sum, { passed }) => sum + passed, 0),
    skipped: outcomes.reduce((sum, { skipped }) => sum + skipped, 0),
    failed,
  };
  if (total.passed + failed.length === 0) console.log(`\nNo test ran${only === "" ? "" : `: none is called ${only}`}.`);
  console.log(`\n${counted(total)}`);
  return total.passed > 0 && failed.length === 0 ? 0 : 1;
}

/** The most telling lines, as people often keep only the end of the output. */
function shortened(reason: string): string {
  const lines = reason.trim().split("\n");
  const isError = lines.map((line) => /\berror: /i.test(line));
  const tells = (i: number) => i < 2 || isError[i] === true || isError[i - 1] === true || i >= lines.length - 2;
  const telling = lines.filter((_, i) => tells(i)).filter((line) => line.trim() !== "");
  const chosen = lines.length <= 10 ? lines : [...telling.slice(0, 8), ...telling.slice(8).slice(-2)];
  return chosen.map((line) => `      ${line.slice(0, 200)}`).join("\n");
}

function counted({ passed, failed, skipped }: Pick<Report, "passed" | "failed" | "skipped">): string {
  return `${String(passed)} passed, ${String(failed.length)} failed${skipped === 0 ? "" : `, ${String(skipped)} skipped`}`;
}

/** Kills all lanes; main() then removes what they left. */
function stopAll(): void {
  isStopped = true;
  for (const { pid } of running) if (pid !== undefined) process.kill(-pid, "SIGKILL");
}
