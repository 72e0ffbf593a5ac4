/** One step of an update on one resource. */
export interface Step {
  readonly op: string;
  readonly urn: string;
  readonly type: string;
  /** The settings that differ. */
  readonly diffs?: readonly string[] | null;
  readonly old?: { readonly custom?: boolean; readonly id?: string } | null;
  readonly new?: { readonly custom?: boolean } | null;
}

/** The used part of an event of Pulumi's engine: a line of `pulumi up --json`. */
export interface EngineEvent {
  readonly resourcePreEvent?: { readonly metadata: Step };
  readonly resOutputsEvent?: { readonly metadata: Step };
  readonly resOpFailedEvent?: { readonly metadata: Step };
  readonly diagnosticEvent?: {
    readonly urn?: string;
    readonly prefix?: string;
    readonly message: string;
    readonly severity: string;
    /** A status message, which the next one replaces. */
    readonly ephemeral?: boolean;
  };
  readonly policyEvent?: {
    readonly resourceUrn?: string;
    readonly message: string;
    readonly policyName: string;
    readonly enforcementLevel: string;
  };
  readonly stdoutEvent?: { readonly message: string };
  readonly summaryEvent?: {
    readonly durationSeconds: number;
    readonly resourceChanges?: Readonly<Record<string, number>> | null;
    readonly PolicyPacks?: Readonly<Record<string, string>> | null;
    readonly result?: string;
  };
}

/** A step's mark, its verb while it runs, and its verb when done. Other steps change nothing and are only counted. */
const verbs: Readonly<Record<string, readonly [string, string, string]>> = {
  create: ["+", "creating", "created"],
  update: ["~", "updating", "updated"],
  delete: ["-", "deleting", "deleted"],
  "create-replacement": ["+", "creating the replacement", "replaced"],
  "delete-replaced": ["-", "deleting the original", "original deleted"],
  import: ["=", "importing", "imported"],
  discard: ["<", "discarding", "discarded"],
};

/** The words of a summary. */
const counted: Readonly<Record<string, string>> = {
  create: "created",
  update: "updated",
  delete: "deleted",
  replace: "replaced",
  import: "imported",
  discard: "discarded",
  same: "unchanged",
};

/** How many running steps are named. */
const named = 3;

/** A running step. */
interface Begun {
  readonly name: string;
  readonly verb: string;
  readonly since: number;
}

/**
 * The finished and the running steps of an update. The total is unknown until the end, as there is no preview before
 * the update.
 */
export class Progress {
  private readonly begun = new Map<string, Begun>();
  private readonly seen = new Set<string>();
  private readonly start: number;

  /** @param now The time in milliseconds, as in all methods. */
  constructor(now: number) {
    this.start = now;
  }

  /** The lines to print for an event; none for most. */
  take(event: EngineEvent, now: number): string[] {
    const { resourcePreEvent, resOutputsEvent, resOpFailedEvent, diagnosticEvent, policyEvent, stdoutEvent } = event;
    if (resourcePreEvent) return this.begin(resourcePreEvent.metadata, now);
    if (resOutputsEvent) return this.end(resOutputsEvent.metadata, now, true);
    if (resOpFailedEvent) return this.end(resOpFailedEvent.metadata, now, false);
    if (diagnosticEvent) return renderDiagnostic(diagnosticEvent);
    if (policyEvent) return renderPolicy(policyEvent);
    if (stdoutEvent) return linesOf(stdoutEvent.message);
    if (event.summaryEvent) return renderSummary(event.summaryEvent);
    return [];
  }

  /** The running steps in one line, the longest first: `… 12 s, 14 done; creating dev1-registry-container 7 s`. */
  status(now: number): string {
    const steps = [...this.begun.values()].map(({ name, verb, since }) => `${verb} ${name} ${seconds(now - since)}`);
    const more = steps.length > named ? [`${String(steps.length - named)} more`] : [];
    const done = `${seconds(now - this.start)}, ${String(this.seen.size)} done`;
    return `  … ${[done, ...(steps.length > 0 ? [[...steps.slice(0, named), ...more].join(", ")] : [])].join("; ")}`;
  }

  private begin(step: Step, now: number): string[] {
    // A component is done when its parts are.
    if (!isCustom(step)) return [];
    const [mark, verb] = verbs[step.op] ?? ["", "checking"];
    this.begun.set(step.urn, { name: nameOf(step.urn), verb, since: now });
    return mark === "" ? [] : [`  ${mark} ${titleOf(step.urn)} ${verb}`];
  }

  private end(step: Step, now: number, isDone: boolean): string[] {
    const since = this.begun.get(step.urn)?.since ?? now;
    this.begun.delete(step.urn);
    if (isDone && step.op !== "refresh") this.seen.add(step.urn);
    const [mark, verb, participle] = verbs[step.op] ?? ["", step.op, ""];
    const took = `(${seconds(now - since)})`;
    if (!isDone) return [`  ! ${titleOf(step.urn)} ${verb} failed ${took}`];
    return mark === "" || !isCustom(step)
      ? []
      : [`  ${mark} ${titleOf(step.urn)} ${participle}${differing(step)} ${took}`];
  }
}

/** Whether an event is the beginning of a step, which a terminal shows in its status line. */
export function isBeginning(event: EngineEvent): boolean {
  return event.resourcePreEvent !== undefined;
}

function isCustom(step: Step): boolean {
  return (step.new ?? step.old)?.custom === true;
}

function differing({ diffs }: Step): string {
  return diffs?.length ? ` [diff: ${diffs.join(", ")}]` : "";
}

/** `dev1-registry-container` */
function nameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}

/** `docker:index:Container dev1-registry-container`, as in Pulumi's previews. */
function titleOf(urn: string): string {
  const type = urn.split("::")[2]?.split("$").at(-1) ?? "";
  return `${type.replace(/\/[^:]*:/, ":")} ${nameOf(urn)}`;
}

/** Errors, warnings, and messages of the program and the plugins, in full. Pulumi's debug messages are left out. */
function renderDiagnostic({ urn, prefix = "", message, severity, ephemeral }: DiagnosticEvent): string[] {
  if (severity === "debug" || ephemeral || message.trim() === "") return [];
  const [first = "", ...rest] = linesOf(prefix + message);
  return [`${urn === undefined ? "" : `${titleOf(urn)}: `}${first}`, ...rest];
}

type DiagnosticEvent = NonNullable<EngineEvent["diagnosticEvent"]>;

function renderPolicy({ resourceUrn, message, policyName, enforcementLevel }: PolicyEvent): string[] {
  const about = resourceUrn === undefined ? "" : `  (${titleOf(resourceUrn)})`;
  return [`[${enforcementLevel}]  ${policyName}${about}`, ...linesOf(message).map((line) => `  ${line}`)];
}

type PolicyEvent = NonNullable<EngineEvent["policyEvent"]>;

/** `2 replaced, 29 unchanged in 15 s; policies: private-registry 0.1.0` */
function renderSummary({ durationSeconds, resourceChanges, PolicyPacks, result }: SummaryEvent): string[] {
  const changes = Object.entries(resourceChanges ?? {}).filter(([, count]) => count > 0);
  // The unchanged ones last.
  changes.sort(([a], [b]) => Number(a === "same") - Number(b === "same"));
  const words = changes.map(([op, count]) => `${String(count)} ${counted[op] ?? op}`).join(", ") || "nothing to do";
  const packs = Object.entries(PolicyPacks ?? {}).map(([name, version]) => `${name.split("|")[0] ?? ""} ${version}`);
  const judged = packs.length > 0 ? `; policies: ${packs.join(", ")}` : "";
  const took = `${String(durationSeconds)} s`;
  return [`${result === "failed" ? `failed after ${took}; ${words}` : `${words} in ${took}`}${judged}`];
}

type SummaryEvent = NonNullable<EngineEvent["summaryEvent"]>;

function linesOf(text: string): string[] {
  return text.trimEnd().split("\n");
}

function seconds(milliseconds: number): string {
  return `${String(Math.round(milliseconds / 1000))} s`;
}
