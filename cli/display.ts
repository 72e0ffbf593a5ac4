import { type EngineEvent, isBeginning, Progress } from "./progress.ts";

/** Where no terminal redraws what is under way, it is said again after this long without a word, in milliseconds. */
const silence = 15_000;

/** Where a display writes. */
export type Screen = Pick<NodeJS.WriteStream, "write" | "isTTY" | "columns">;

/**
 * Draws what `pulumi … --json` prints: a line for each step that is done, whatever Pulumi has to say, and below that, on a
 * terminal, what is under way. Elsewhere each step has a line when it begins, too.
 */
export class Display {
  private readonly out: Screen;
  private readonly progress = new Progress(Date.now());
  private readonly timer: NodeJS.Timeout;
  private rest = "";
  private lastWord = Date.now();

  constructor(out: Screen) {
    this.out = out;
    this.timer = setInterval(() => this.tick(), out.isTTY ? 250 : 1000);
  }

  /** Takes what Pulumi prints, as it comes. */
  take(text: string): void {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    for (const line of lines) this.takeLine(line);
  }

  /** Writes what isn't an event, beside what is drawn. */
  say(text: string, out: Pick<Screen, "write">): void {
    this.clear();
    out.write(text);
  }

  end(): void {
    clearInterval(this.timer);
    this.clear();
    // Half an event, where Pulumi was killed, says nothing.
    if (this.rest !== "" && !this.rest.startsWith("{")) this.takeLine(this.rest);
  }

  private takeLine(line: string): void {
    const event = parsed(line);
    // A terminal has it in what is under way.
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

/** An event; undefined for a line that is none, which is shown as it is. */
function parsed(line: string): EngineEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && "sequence" in value ? (value as EngineEvent) : undefined;
  } catch {
    return undefined;
  }
}
