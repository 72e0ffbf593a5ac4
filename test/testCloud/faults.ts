import { Refusal } from "./kinds.ts";

/** A call that hangs: a promise for the moment when it begins, and a way to let it continue. */
export interface Hanging {
  readonly asked: Promise<void>;
  /** If it has not begun, it will no longer hang. */
  readonly release: () => void;
}

/** Makes the engine's connection break instead of getting an answer. */
export class AnswerLost extends Error {}

interface Fault {
  readonly call: string;
  /** How many calls of this name pass before it. */
  passes: number;
  readonly before?: () => Promise<void>;
  readonly after?: () => void;
}

/**
 * Faults for chosen calls, and a list of all calls. A call is named by what it does and to
 * what: `create digitalocean:index/droplet:Droplet`, `invoke aws:ssm/getParameter:getParameter`, and of the DNSimple
 * API `POST /zones/example.com/records`. `nth` counts from now on.
 */
export class Faults {
  /** Every call to the cloud, in order; without those of a preview, which ask nothing of it. */
  readonly calls: string[] = [];
  private faults: Fault[] = [];

  /** The cloud refuses: `code` is an HTTP status (DigitalOcean, DNSimple) or an AWS error code. */
  fail(call: string, code: string, message: string, nth = 1): void {
    this.add({ call, passes: nth - 1, before: () => Promise.reject(new Refusal(code, message)) });
  }

  /** The cloud does nothing until it is released, and then completes the call, even if nobody waits any more. */
  hang(call: string, nth = 1): Hanging {
    let reached: () => void = () => undefined;
    let goOn: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => (reached = resolve));
    const released = new Promise<void>((resolve) => (goOn = resolve));
    const fault = { call, passes: nth - 1, before: () => (reached(), released) };
    this.add(fault);
    const release = () => {
      this.faults = this.faults.filter((each) => each !== fault);
      goOn();
    };
    return { asked, release };
  }

  /** The cloud completes the call, and its plugin dies before it can say so. */
  loseAnswer(call: string, nth = 1): void {
    const after = () => {
      throw new AnswerLost("the connection broke");
    };
    this.add({ call, passes: nth - 1, after });
  }

  private add(fault: Fault): void {
    this.faults.push(fault);
  }

  /** Executes a call, with its fault if it has one. */
  async around<Result>(call: string, act: () => Result | Promise<Result>): Promise<Result> {
    this.calls.push(call);
    const fault = this.take(call);
    await fault?.before?.();
    const result = await act();
    fault?.after?.();
    return result;
  }

  private take(call: string): Fault | undefined {
    const meant = this.faults.filter((fault) => fault.call === call);
    const due = meant.find(({ passes }) => passes === 0);
    for (const fault of meant) fault.passes--;
    this.faults = this.faults.filter((fault) => fault !== due);
    return due;
  }
}
