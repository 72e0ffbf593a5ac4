import { setImmediate } from "node:timers/promises";

/** Lets other work of the process run now and then, as files are read one after the other without waiting. */
export class Pace {
  private next = 0;

  /** Returns at once unless it is time. */
  async breathe(): Promise<void> {
    if (Date.now() < this.next) return;
    await setImmediate();
    this.next = Date.now() + 20;
  }
}
