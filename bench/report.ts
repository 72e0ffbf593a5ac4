/** The compared subjects, in the order of the tables. */
export const subjects = {
  a: "this stack",
  a0: "without passwords",
  b: "usual recipe",
  c: "registry alone",
  d: "Caddy",
  e: "bare, no TLS",
  f: "static file",
} as const;

export type SubjectId = keyof typeof subjects;

const descriptions: Readonly<Record<SubjectId, string>> = {
  a: "`make up` with the default settings",
  a0: "its proxy's image, container options and configuration, `auth_request` taken out, before the same registry",
  b: "nginx as distribution's documentation has it: `auth_basic` on every request, default buffering, one worker process",
  c: "the registry's own TLS and htpasswd",
  d: "`basic_auth` and `reverse_proxy`, else its defaults; it caches checked passwords",
  e: "the registry without TLS and passwords",
  f: "nginx with one file over TLS, `sendfile on`, else its defaults: the limit",
};

/** The metrics, in the order of the tables. */
export const metrics = {
  requests: { title: "manifest requests per second", better: "more" },
  p99: { title: "p99 of these, ms", better: "less" },
  pull: { title: "pull of a large blob, MB/s", better: "more" },
  pullCpu: { title: "CPU seconds per GB pulled", better: "less" },
  push: { title: "push of a large blob, MB/s", better: "more" },
  pushCpu: { title: "CPU seconds per GB pushed", better: "less" },
  pullImages: { title: "pull of 16 images at once, MB/s", better: "more" },
  pushImages: { title: "push of 16 images at once, MB/s", better: "more" },
  written: { title: "bytes written per byte pushed", better: "less" },
  memory: { title: "memory, MiB", better: "less" },
} as const;

export type Metric = keyof typeof metrics;

/** One round of one subject. */
export type Values = Partial<Record<Metric, number>>;

/** The rounds of each subject, in order. */
export type Measured = Record<SubjectId, readonly Values[]>;

/** A median with the smallest and the largest value. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The targets of this stack. */
interface Target {
  readonly what: string;
  readonly metric: Metric;
  /** The subject to divide by. Default: none; the value itself counts. */
  readonly by?: SubjectId;
  readonly least?: number;
  readonly most?: number;
}

const targets: readonly Target[] = [
  { what: "Requests: at least 150 × the usual recipe", metric: "requests", by: "b", least: 150 },
  { what: "Requests: at least 0.8 × the same proxy without passwords", metric: "requests", by: "a0", least: 0.8 },
  { what: "Push: at least 1.2 × the usual recipe", metric: "push", by: "b", least: 1.2 },
  { what: "Push: no slower than the registry alone", metric: "push", by: "c", least: 1 },
  { what: "Push, CPU: at most 0.8 × the usual recipe", metric: "pushCpu", by: "b", most: 0.8 },
  // Logs and the registry's metadata of an upload are written too.
  { what: "Push: each byte written once", metric: "written", least: 0.99, most: 1.02 },
  { what: "Pull: at least 1.2 × the registry alone", metric: "pull", by: "c", least: 1.2 },
  { what: "Pull, CPU: at most 0.5 × the registry alone", metric: "pullCpu", by: "c", most: 0.5 },
  { what: "Pull: at least 0.9 × a static file", metric: "pull", by: "f", least: 0.9 },
];

/** The conditions of the figures. */
export interface Circumstances {
  readonly date: string;
  readonly machine: readonly string[];
  readonly rounds: number;
  readonly megabytes: number;
  readonly seconds: number;
  readonly pulls: number;
}

export function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const [min] = sorted;
  const max = sorted[sorted.length - 1];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  const upper = sorted[Math.ceil((sorted.length - 1) / 2)];
  if (min === undefined || max === undefined || lower === undefined || upper === undefined) return undefined;
  return { min, max, median: (lower + upper) / 2 };
}

export function figures(measured: Measured, subject: SubjectId, metric: Metric): Spread | undefined {
  return spreadOf(measured[subject].flatMap((values) => values[metric] ?? []));
}

/** This stack divided by another, round by round, as the values of a round were measured within minutes. */
export function ratios(measured: Measured, metric: Metric, by: SubjectId): Spread | undefined {
  return spreadOf(
    measured.a.flatMap((values, round) => {
      const [own, other] = [values[metric], measured[by][round]?.[metric]];
      return own === undefined || other === undefined ? [] : own / other;
    }),
  );
}

/** The table of ratios: this stack divided by each other one. */
export function ratioTable(measured: Measured): string {
  const others = idsOf(subjects).filter((id) => id !== "a");
  return table([
    ["this stack ÷", ...others.map((id) => subjects[id])],
    ...idsOf(metrics).map((metric) => [
      `${metrics[metric].title} (${metrics[metric].better} is better)`,
      ...others.map((by) => spreadText(ratios(measured, metric, by))),
    ]),
  ]);
}

function figureTable(measured: Measured): string {
  return table([
    ["", ...Object.values(subjects)],
    ...idsOf(metrics).map((metric) => [
      metrics[metric].title,
      ...idsOf(subjects).map((subject) => spreadText(figures(measured, subject, metric))),
    ]),
  ]);
}

export function targetTable(measured: Measured): string {
  return table([
    ["Target", "Measured", ""],
    ...targets.map(({ what, metric, by, least = 0, most = Infinity }) => {
      const spread = by === undefined ? figures(measured, "a", metric) : ratios(measured, metric, by);
      const met = spread && spread.median >= least && spread.median <= most;
      return [what, spreadText(spread), met ? "met" : "**missed**"];
    }),
  ]);
}

/** The whole report, Markdown as prettier writes it. */
export function report(measured: Measured, circumstances: Circumstances): string {
  const { date, machine, rounds, megabytes, seconds, pulls } = circumstances;
  return `\
# This stack compared with the others

Written by \`make bench\` on ${date}: medians of ${String(rounds)} rounds, and in brackets the smallest and the largest.

${machine.map((line) => `- ${line}`).join("\n")}

![Bars of the medians](results.svg)

## Targets

${targetTable(measured)}

## This stack divided by each other one

Round by round: the two figures of a ratio were measured within minutes of each other.

${ratioTable(measured)}

## The figures

${figureTable(measured)}

## What was compared

${table([["Subject", "What it is"], ...idsOf(subjects).map((id) => [subjects[id], descriptions[id]])])}

All have the same certificate (ECDSA P-256), the same user with the same bcrypt hash of cost 10, the same content and the
same disk. The other registries have the configuration of the official image, without its debug log and debug port,
which would slow them down. All other containers run with the defaults of \`docker run\`.

## How it was measured

- The clients share the machine's cores with the servers, and run in the network namespace of a subject's front: they use
  its loopback and HTTP/1.1, as Docker does, and no port is published. Subjects were warmed up, then measured in turn,
  round after round.
- Requests: \`wrk\`, one thread, 16 kept connections, ${String(seconds)} s of \`GET\` of one manifest by its tag, with the password.
- Large blob: \`curl\`, ${String(megabytes)} MB of incompressible data; pulled to /dev/null from a warm page cache, ${String(pulls)} times in a row;
  pushed in chunks by POST, PATCH and PUT, new data each time.
- 16 images at once: each has 1.7 MB in three layers and its own client, which sends one request after the other over one
  connection, three requests per pushed blob.
- CPU seconds: user and system time of the subject's containers, by their control groups, during the large transfer. The
  clients are not included.
- Memory: anonymous memory of the subject's containers, without the page cache; the largest value after any of the
  loads.
- Bytes written: \`write_bytes\` of all processes of the containers during the push of the large blob. It counts
  what they wrote; a temporary file counts even if it was removed before it reached the disk.
- Not measured: many cores, a network, many users, cold disks, and everything but pushing and pulling.
`;
}

/** A Markdown table, aligned. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[], fill = " ") =>
    `| ${widths.map((width, column) => (cells[column] ?? "").padEnd(width, fill)).join(" | ")} |`;
  const [head = [], ...body] = rows;
  return [line(head), line([], "-"), ...body.map((row) => line(row))].join("\n");
}

export function spreadText(spread: Spread | undefined): string {
  return spread ? `${number(spread.median)} (${number(spread.min)}–${number(spread.max)})` : "";
}

/** A number with three significant digits. */
export function number(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(value >= 10 ? 1 : 2);
}

export function idsOf<Id extends string>(table: Readonly<Record<Id, unknown>>): Id[] {
  return Object.keys(table) as Id[];
}
