import { execFile } from "node:child_process";

import type { EngineEvent, Step } from "./progress.ts";

/** How often an old container is asked for its uploads, in milliseconds. */
const interval = 10_000;

const howToStop = "Ctrl-C twice ends the wait, not the uploads";

/** An upload that a container receives. */
interface Upload {
  readonly repository: string;
  readonly bytes: number;
}

/**
 * Names the uploads that an old registry container still receives, while Pulumi waits for it to stop, and those that were
 * cut because they took longer than the setting drainTimeout allows.
 */
export class Drain {
  private readonly say: (text: string) => void;
  /** What ends the watch of each container, by its id. */
  private readonly watched = new Map<string, () => void>();

  constructor(say: (text: string) => void) {
    this.say = say;
  }

  take({ resourcePreEvent, resOutputsEvent, resOpFailedEvent }: EngineEvent): void {
    const begun = resourcePreEvent?.metadata;
    if (begun && isEnd(begun)) this.watch(idOf(begun));
    const ended = (resOutputsEvent ?? resOpFailedEvent)?.metadata;
    if (ended && isEnd(ended)) this.watched.get(idOf(ended))?.();
  }

  end(): void {
    for (const end of this.watched.values()) end();
  }

  private watch(id: string): void {
    const since = Date.now();
    const took = () => `${String(Math.round((Date.now() - since) / 1000))} s`;
    let uploads: readonly Upload[] = [];
    const look = () =>
      execFile("docker", ["exec", id, "sh", "-c", listUploads], (error, printed) => {
        if (error !== null) return;
        uploads = parseUploads(printed);
        if (uploads.length > 0)
          this.say(`▸ Waiting for uploads to the old registry, ${took()}: ${listed(uploads)}. ${howToStop}\n`);
      });
    look();
    const timer = setInterval(look, interval);
    // The registry exits with an error if it has cut something.
    const exit = execFile("docker", ["wait", id], (error, exitCode) => {
      if (error === null && exitCode.trim() !== "0" && uploads.length > 0)
        this.say(`▸ Cut after ${took()}, as set by drainTimeout: ${listed(uploads)}\n`);
    });
    this.watched.set(id, () => {
      clearInterval(timer);
      // It has printed the exit code, or nobody waits for that any more.
      setTimeout(() => exit.kill(), 1000).unref();
    });
  }
}

/** Whether a step ends a container of a registry. */
function isEnd({ op, urn }: Step): boolean {
  return /^delete(-replaced)?$/.test(op) && urn.includes(":Registry$docker:index/container:Container::");
}

function idOf({ old }: Step): string {
  return old?.id ?? "";
}

/** Each file of an upload that the registry has open, with its size. */
const listUploads = `for fd in /proc/1/fd/*; do
  file=$(readlink "$fd") || continue
  case $file in */_uploads/*/data) echo "$(stat -c %s "$file") $file" ;; esac
done`;

/** Reads what `listUploads` prints. */
export function parseUploads(printed: string): Upload[] {
  const found = printed.matchAll(/^(\d+) \S*\/repositories\/(\S+)\/_uploads\/\S+$/gm);
  return Array.from(found, ([, bytes = "0", repository = ""]) => ({ repository, bytes: Number(bytes) }));
}

/** `team/app (120 MB)` */
function listed(uploads: readonly Upload[]): string {
  return uploads.map(({ repository, bytes }) => `${repository} (${String(Math.round(bytes / 1e6))} MB)`).join(", ");
}
