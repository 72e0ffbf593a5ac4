// The cost of the everyday commands without changes: `make bench-commands`, see bench/run.
// Prints the table, and writes it with its conditions to bench/everyday.md.
import { writeFileSync } from "node:fs";

import { Checkout } from "../test/support/checkout.ts";
import { finish, interruptible, say } from "./commands.ts";
import { commands, type Cost, everydayReport, type Everyday } from "./everydayReport.ts";
import { describeMachine } from "./machine.ts";
import { idsOf, number } from "./report.ts";
import { readImages } from "./subjects.ts";

const rounds = Number(process.env["ROUNDS"] ?? 5);

finish(main());

async function main(): Promise<void> {
  const checkout = new Checkout();
  try {
    say("starting the stack…");
    await checkout.configure();
    await checkout.makes("up");
    // A first run warms up the caches.
    for (const id of idsOf(commands)) await measure(checkout, commands[id]);

    const measured: Everyday = { up: [], preview: [], plain: [], status: [], quickStatus: [] };
    for (let round = 1; round <= rounds; round++) {
      for (const id of idsOf(commands)) measured[id].push(await measure(checkout, commands[id]));
      const last = Object.values(measured).map((costs) => number(costs.at(-1)?.cpuSeconds ?? 0));
      say(`round ${String(round)} of ${String(rounds)}: ${last.join(", ")} CPU seconds`);
    }
    const { registry, proxy } = readImages();
    const machine = [
      ...(await describeMachine([registry, proxy])),
      `Node.js ${process.versions.node}, ${await versionOf(checkout)}`,
    ];
    const date = new Date().toISOString().slice(0, 10);
    const report = everydayReport(measured, { date, rounds, machine });
    writeFileSync("bench/everyday.md", report);
    console.log(`\n${report}`);
  } finally {
    await checkout.dispose();
  }
}

/** `Pulumi 3.259.0` */
async function versionOf(checkout: Checkout): Promise<string> {
  const { stdout } = await checkout.shell("pulumi version");
  return `Pulumi ${stdout.trim().replace("v", "")}`;
}

/** The cost of a command and its children, by bash's `time`. The work of the Docker engine is not included. */
async function measure(checkout: Checkout, typed: string): Promise<Cost> {
  const script = `TIMEFORMAT="cost %R %U %S"; time ${typed.replace("dev1", checkout.stack)} >/dev/null`;
  const { code, output } = await interruptible((options) => checkout.shell(script, options));
  const [, real, user, system] = /^cost (\S+) (\S+) (\S+)$/m.exec(output) ?? [];
  if (code !== 0 || real === undefined) throw new Error(output);
  return { cpuSeconds: Number(user) + Number(system), seconds: Number(real) };
}
