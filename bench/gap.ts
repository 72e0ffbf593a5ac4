// How long nobody is answered while the proxy is replaced: `make bench-gap`, see bench/run.
// Prints the table, and writes it with its conditions to bench/gap.md.
import { writeFileSync } from "node:fs";
import * as https from "node:https";

import type { Outputs } from "../components/outputs.ts";
import { Checkout } from "../test/support/checkout.ts";
import { finish, interruptible, say } from "./commands.ts";
import { describeMachine } from "./machine.ts";
import { number, spreadOf, spreadText, table } from "./report.ts";
import { readImages } from "./subjects.ts";

const rounds = Number(process.env["ROUNDS"] ?? 10);
/** How often somebody asks, in milliseconds: no figure is more exact. */
const interval = 5;

finish(main());

async function main(): Promise<void> {
  const checkout = new Checkout();
  try {
    say("starting the stack…");
    await checkout.configure();
    const outputs = await checkout.bringUp();
    const { stdout: state } = await checkout.pulumi("stack", "export");
    const [urn = ""] = /urn:[^"]*::[^":]*-proxy-container(?=")/.exec(state) ?? [];
    const gaps: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      gaps.push(await gapOf(outputs, () => replaceProxy(checkout, urn)));
      say(`round ${String(round)} of ${String(rounds)}: ${number(gaps.at(-1) ?? 0)} ms`);
    }
    const { registry, proxy } = readImages();
    const report = renderReport(gaps, await describeMachine([registry, proxy]));
    writeFileSync("bench/gap.md", report);
    console.log(`\n${report}`);
  } finally {
    await checkout.dispose();
  }
}

/** Replaces the proxy's container, as a change of its image or its ports does. */
async function replaceProxy(checkout: Checkout, urn: string): Promise<void> {
  const { code, output } = await interruptible(() =>
    checkout.pulumi("up", "--yes", "--skip-preview", "--replace", urn),
  );
  if (code !== 0) throw new Error(output);
}

/** The longest time between two questions in a row that were answered, in milliseconds, while something is done. */
async function gapOf({ url, caCertificate }: Outputs, action: () => Promise<void>): Promise<number> {
  const agent = new https.Agent({ keepAlive: false, ca: caCertificate });
  const answered: number[] = [];
  const ask = () => {
    const asked = performance.now();
    https
      .get(`${url}/v2/`, { agent, timeout: 1000 }, (response) => {
        response.resume();
        answered.push(asked);
      })
      .on("error", () => undefined);
  };
  const timer = setInterval(ask, interval);
  try {
    await action();
  } finally {
    clearInterval(timer);
    agent.destroy();
  }
  answered.sort((a, b) => a - b);
  return Math.max(...answered.slice(1).map((time, index) => time - (answered[index] ?? time)));
}

function renderReport(gaps: readonly number[], machine: readonly string[]): string {
  return `\
# How long nobody is answered while the proxy is replaced

Written by \`make bench-gap\`: ${String(gaps.length)} replacements, while every ${String(interval)} ms somebody connects and asks. A gap is the
time between the last question before it that was answered and the first one after it. No transfer is under way; the old
proxy waits up to 30 s for those.

${machine.map((line) => `- ${line}`).join("\n")}

${table([
  ["", "median (smallest–largest)"],
  ["gap, ms", spreadText(spreadOf(gaps))],
])}
`;
}
