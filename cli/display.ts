import { type EngineEvent, isBeginning, Progress } from "./progress.ts";

/** Without a terminal, the status is printed after this long without output, in milliseconds. */
const silence = 15_000;

/** Where a display writes. */
export type Screen = Pick<NodeJS.WriteStream, "write" | "isTTY" | "columns">;

/**
 * Shows the output of `pulumi … --json`: a line for each finished step, Pulumi's messages, and, on a terminal, a last
 * line with the running steps. Without a terminal, each step also has a line when it begins.
 */
export class Display {
  private readonly out: Screen;
  private readonly onEvent: (event: EngineEvent) => void;
  private readonly progress = new Progress(Date.now());
  private readonly timer: NodeJS.Timeout;
  private rest = "";
  private lastWord = Date.now();

  /** @param onEvent Gets each event before it is drawn. */
  constructor(out: Screen, onEvent: (event: EngineEvent) => void = () => undefined) {
    this.out = out;
    this.onEvent = onEvent;
    this.timer = setInterval(() => this.tick(), out.isTTY ? 250 : 1000);
  }

  /** Takes Pulumi's output as it comes. */
  take(text: string): void {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    for (const line of lines) this.takeLine(line);
  }

  /** Writes text that is not an event. */
  say(text: string, out: Pick<Screen, "write">): void {
    this.clear();
    out.write(text);
  }

  end(): void {
    clearInterval(this.timer);
    this.clear();
    // If Pulumi was killed, the rest may be half an event, which is dropped.
    if (this.rest !== "" && !this.rest.startsWith("{")) this.takeLine(this.rest);
  }

  private takeLine(line: string): void {
    const event = parsed(line);
    if (event !== undefined) this.onEvent(event);
    // On a terminal, the status line shows running steps.
    const isShown = event === undefined || !this.out.isTTY || !isBeginning(event);
    const lines = event === undefined ? [line] : this.progress.take(event, Date.now());
    if (!isShown || lines.length === 0) return;
    this.clear();
    this.out.write(lines.map((each) => `${each}\n`).join(""));
    this.lastWord = Date.now();
  }

  private tick(): void {
    const status = this.progress.status(Date.now());
    if (this.out.isTTY) {
      this.clear();
      this.out.write(status.slice(0, this.out.columns - 1));
    } else if (Date.now() - this.lastWord >= silence) {
      this.out.write(`${status}\n`);
      this.lastWord = Date.now();
    }
  }

  private clear(): void {
    if (this.out.isTTY) this.out.write("\r\x1b[K");
  }
}

/** The event in a line; undefined for any other line, which is shown unchanged. */
function parsed(line: string): EngineEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && "sequence" in value ? (value as EngineEvent) : undefined;
  } catch {
    return undefined;
  }
}
