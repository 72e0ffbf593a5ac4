import * as https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

/** Requests a URL 20 times a second until it is stopped, and keeps the errors. */
export class Poll {
  readonly failures: string[] = [];
  answered = 0;
  private asked = 0;
  private readonly agent: https.Agent;
  private readonly timer: NodeJS.Timeout;
  private readonly url: string;
  private readonly authorization: string;

  /** @param options How it connects: `keepAlive` or each time again. */
  constructor(url: string, authorization: string, options: https.AgentOptions) {
    this.url = url;
    this.authorization = authorization;
    this.agent = new https.Agent(options);
    this.timer = setInterval(() => this.ask(), 50);
  }

  private ask(): void {
    this.asked++;
    const end = (failure?: string) => {
      this.answered++;
      if (failure !== undefined) this.failures.push(`${new Date().toISOString()} ${failure}`);
    };
    https
      .get(this.url, { agent: this.agent, headers: { Authorization: this.authorization } }, (response) => {
        response.resume();
        response.once("error", (error) => end(error.message));
        response.once("end", () => end(response.statusCode === 200 ? undefined : String(response.statusCode)));
      })
      .once("error", (error) => end(error.message));
  }

  /** Waits for the last answers. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    for (let tries = 0; this.answered < this.asked && tries < 500; tries++) {
      await sleep(20);
    }
    if (this.answered < this.asked) this.failures.push(`${String(this.asked - this.answered)} without an answer`);
    this.agent.destroy();
  }
}
