// How password guessing slows signed-in clients: `make bench-guessing`, see bench/run.
// Prints the table, and writes it with its conditions to bench/guessing.md.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { configFiles } from "../components/proxy/nginx/files.ts";
import { Checkout } from "../test/support/checkout.ts";
import { addressOf } from "../test/support/run.ts";
import { command, docker, finish, removeContainers, say } from "./commands.ts";
import { authorizationOf, Load, type Requests } from "./load.ts";
import { describeClients, describeMachine } from "./machine.ts";
import { number, spreadOf, spreadText, table } from "./report.ts";
import { startStack } from "./stack.ts";
import { readImages, type Subject } from "./subjects.ts";

const rounds = Number(process.env["ROUNDS"] ?? 5);
const seconds = 60;
/** Guesses per second: half from the client's own address, half from another. */
const rate = 200;

/** A server that refuses everybody at almost no cost. */
const decoy = `\
events {
}

http {
  access_log off;

  server {
    listen 8443 ssl;
    ssl_certificate /etc/decoy/${configFiles.certificate};
    ssl_certificate_key /etc/decoy/${configFiles.key};
    return 401;
  }
}
`;

interface Round {
  readonly quiet: Requests;
  /** While the same guesses go to another server: shows the cost of the guessing programs themselves. */
  readonly beside: Requests;
  readonly guessed: Requests;
  /** The number of guesses by status. */
  readonly answers: Record<string, number>;
}

finish(main());

async function main(): Promise<void> {
  const images = readImages();
  const configs = mkdtempSync(join(tmpdir(), "private-registry-bench-"));
  const checkout = new Checkout();
  const proxy = `${checkout.name}-proxy`;
  const other = `${checkout.name}-guesser`;
  const elsewhere = `${checkout.name}-decoy`;
  try {
    say("starting the stack…");
    const files = await startStack(checkout);
    const sleeping = ["--entrypoint", "sleep", images.registry, "infinity"];
    await docker("run", "--detach", "--name", other, "--network", proxy, ...sleeping);
    for (const file of ["certificate", "key"] as const) writeFileSync(join(configs, configFiles[file]), files[file]);
    writeFileSync(join(configs, configFiles.conf), decoy);
    const served = ["--volume", `${configs}:/etc/decoy:ro`, images.proxy];
    const serving = ["nginx", "-c", `/etc/decoy/${configFiles.conf}`, "-g", "daemon off; user nginx;"];
    await docker("run", "--detach", "--name", elsewhere, "--network", proxy, ...served, ...serving);

    const load = new Load(await authorizationOf(checkout), configs);
    const subject: Subject = { id: "a", url: "https://127.0.0.1:8443", containers: [proxy], data: "" };
    await load.pushImages(subject, "latest", "guessing");
    await load.request(subject, 10);
    const measured: Round[] = [];
    for (let round = 1; round <= rounds; round++) {
      const quiet = await load.request(subject, seconds);
      const [beside] = await Promise.all([load.request(subject, seconds), guess(elsewhere, other)]);
      const [guessed, answers] = await Promise.all([load.request(subject, seconds), guess(proxy, other)]);
      measured.push({ quiet, beside, guessed, answers });
      const figures = [quiet, beside, guessed].map(({ perSecond }) => number(perSecond)).join(", ");
      say(`round ${String(round)} of ${String(rounds)}: ${figures} requests per second`);
    }
    const machine = [...(await describeMachine([images.registry, images.proxy])), await describeClients()];
    const report = renderReport(measured, machine);
    writeFileSync("bench/guessing.md", report);
    console.log(`\n${report}`);
  } finally {
    await removeContainers([other, elsewhere]);
    await checkout.dispose();
    rmSync(configs, { recursive: true });
  }
}

/** Guesses passwords at a server in the stack's network, from its own loopback and from another container. */
async function guess(server: string, other: string): Promise<Record<string, number>> {
  const network = server.replace(/[^-]*$/, "proxy");
  const from = async (container: string, host: string) => {
    const pid = await docker("inspect", "--format", "{{.State.Pid}}", container);
    const program = ["node", "test/support/guesser.ts", `https://${host}:8443`];
    const guesses = ["admin", String(rate / 2), String(seconds)];
    const output = await command("nsenter", [`--net=/proc/${pid}/ns/net`, ...program, ...guesses]);
    return JSON.parse(output) as Record<string, number>;
  };
  const answers = await Promise.all([from(server, "127.0.0.1"), from(other, await addressOf(server, network))]);
  const total: Record<string, number> = {};
  for (const [status, count] of answers.flatMap((each) => Object.entries(each)))
    total[status] = (total[status] ?? 0) + count;
  return total;
}

/** The report, formatted like prettier's Markdown. If a request of the signed-in client failed, there is none. */
function renderReport(measured: readonly Round[], machine: readonly string[]): string {
  const spread = (of: (round: Round) => number) => spreadText(spreadOf(measured.map(of)));
  const row = (title: string, of: (requests: Requests) => number) => [
    title,
    spread(({ quiet }) => of(quiet)),
    spread(({ beside }) => of(beside)),
    spread(({ guessed }) => of(guessed)),
    spread(({ beside, guessed }) => of(guessed) / of(beside)),
    spread(({ quiet, guessed }) => of(guessed) / of(quiet)),
  ];
  const counts = measured.map(({ answers }) => `${String(answers["401"] ?? 0)} and ${String(answers["429"] ?? 0)}`);
  return `\
# How password guessing slows signed-in clients

Written by \`make bench-guessing\`: medians of ${String(measured.length)} rounds, and in brackets the smallest and the largest. In
each round a client with 16 kept connections asks for a manifest for ${String(seconds)} s: alone; while ${String(rate)} wrong passwords a
second are tried at another server; while they are tried here, for an existing user. Half of them come from the client's
own address, half from another.

${machine.map((line) => `- ${line}`).join("\n")}
- All programs run on the same cores. The column for another server shows the cost of the guessing programs themselves.

${table([
  ["", "alone", "guesses elsewhere", "guesses here", "here ÷ elsewhere", "here ÷ alone"],
  row("requests per second", ({ perSecond }) => perSecond),
  row("p99, ms", ({ p99 }) => p99),
])}

No request of the client failed. Guesses that were checked (401) and refused unchecked (429), round by round:
${counts.join("; ")}.
`;
}
