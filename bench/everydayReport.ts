import { idsOf, spreadOf, spreadText, table } from "./report.ts";

/** The measured commands, as people type them. */
export const commands = {
  up: "make up STACK=dev1",
  preview: "make preview STACK=dev1",
  plain: "pulumi preview -s dev1",
  status: "make status STACK=dev1",
  quickStatus: "make status STACK=dev1 QUICK=1",
} as const;

/** The cost of one run. */
export interface Cost {
  readonly cpuSeconds: number;
  readonly seconds: number;
}

/** The rounds of each command, in order. */
export type Everyday = Record<keyof typeof commands, Cost[]>;

/** The conditions of the figures. */
interface Circumstances {
  readonly date: string;
  readonly machine: readonly string[];
  readonly rounds: number;
}

/** The whole report, Markdown as prettier writes it. */
export function everydayReport(measured: Everyday, { date, machine, rounds }: Circumstances): string {
  const rows = idsOf(commands).map((id) => [
    `\`${commands[id]}\``,
    spreadText(spreadOf(measured[id].map(({ cpuSeconds }) => cpuSeconds))),
    spreadText(spreadOf(measured[id].map(({ seconds }) => seconds))),
  ]);
  return `\
# What the commands of every day cost

Written by \`make bench-commands\` on ${date}: medians of ${String(rounds)} rounds, and in brackets the smallest and the largest.

${machine.map((line) => `- ${line}`).join("\n")}

${table([["nothing to change", "CPU seconds", "seconds"], ...rows])}

The stack is on the local engine, with the default settings, and each command ran once before it was measured. CPU seconds
are user and system time of the command and all that it starts: plugins are in them, the Docker engine is not.
`;
}
