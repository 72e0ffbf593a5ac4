import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { basicAuthorization } from "../cli/client.ts";
import type { Checkout } from "../test/support/checkout.ts";
import type { Job, Transfer } from "./client.ts";
import { command, docker, interruptible } from "./commands.ts";
import type { Subject } from "./subjects.ts";

export interface Requests {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p99: number;
}

interface Answer {
  readonly status: number;
  readonly seconds: number;
  readonly bytes: number;
  readonly location: string;
}

const connections = 16;
const images = 16;
const repository = "bench/blob";
const manifestType = "application/vnd.oci.image.manifest.v1+json";

/** The Authorization header of a stack's first user. */
export async function authorizationOf(checkout: Checkout): Promise<string> {
  const { usernames, passwords } = await interruptible(() => checkout.outputs());
  const [user = ""] = usernames;
  return basicAuthorization(user, passwords[user] ?? "");
}

/** Puts load on subjects, over the loopback of their front container. No password is on a command line. */
export class Load {
  private readonly authorization: string;
  private readonly folder: string;

  /** @param folder For files that only this user may read. */
  constructor(authorization: string, folder: string) {
    this.authorization = authorization;
    this.folder = folder;
  }

  /** Requests manifests over kept connections. */
  async request(subject: Subject, seconds: number): Promise<Requests> {
    const script = join(this.folder, "wrk.lua");
    writeFileSync(script, luaScript(this.authorization), { mode: 0o600 });
    const options = ["-t1", `-c${String(connections)}`, `-d${String(seconds)}s`, "--timeout", "10s", "-s", script];
    const url = `${subject.url}/v2/bench/image-0/manifests/latest`;
    const output = await inside(subject, ["wrk", ...options, url]);
    rmSync(script);
    const [requests = 0, microseconds = 0, p99 = 0, failed = 0] = (output.trim().split("\n").pop() ?? "")
      .split(" ")
      .map(Number);
    if (requests === 0 || failed > 0)
      throw new Error(`${subject.id}: ${String(failed)} of ${String(requests)} requests failed`);
    return { perSecond: requests / (microseconds / 1e6), p99: p99 / 1000 };
  }

  /** Pulls a large blob several times: for a single pull, the CPU time of health checks would distort the result. */
  async pullBlob(subject: Subject, hex: string, times: number): Promise<Transfer> {
    const path = subject.id === "f" ? "/blob" : `/v2/${repository}/blobs/sha256:${hex}`;
    const total = { seconds: 0, bytes: 0 };
    for (let time = 0; time < times; time++) {
      const { seconds, bytes } = await this.curl(subject, 200, [`url = "${subject.url}${path}"`]);
      total.seconds += seconds;
      total.bytes += bytes;
    }
    return total;
  }

  /** Pushes a blob as Docker does: starts an upload, streams chunks, finishes with the digest. */
  async pushBlob(subject: Subject, file: string, hex: string): Promise<Transfer> {
    const begun = await this.curl(subject, 202, [
      `url = "${subject.url}/v2/${repository}/blobs/uploads/"`,
      'request = "POST"',
      'data = ""',
    ]);
    const sent = await this.curl(subject, 202, [
      `url = "${new URL(begun.location, subject.url).href}"`,
      'request = "PATCH"',
      `upload-file = "${file}"`,
      'header = "Transfer-Encoding: chunked"',
      'header = "Content-Type: application/octet-stream"',
      'header = "Expect:"',
    ]);
    const end = new URL(sent.location, subject.url);
    end.searchParams.set("digest", `sha256:${hex}`);
    const ended = await this.curl(subject, 201, [`url = "${end.href}"`, 'request = "PUT"', 'data = ""']);
    return { seconds: begun.seconds + sent.seconds + ended.seconds, bytes: sent.bytes };
  }

  /** Pulls the small images with this tag, all at once. */
  pullImages(subject: Subject, tag: string): Promise<Transfer> {
    return this.transferImages(subject, { action: "pull", tag, seed: "" });
  }

  pushImages(subject: Subject, tag: string, seed: string): Promise<Transfer> {
    return this.transferImages(subject, { action: "push", tag, seed });
  }

  private async transferImages(subject: Subject, job: Pick<Job, "action" | "tag" | "seed">): Promise<Transfer> {
    const whole: Job = { ...job, url: subject.url, authorization: this.authorization, images };
    const output = await inside(subject, ["node", "bench/client.ts"], JSON.stringify(whole));
    return JSON.parse(output) as Transfer;
  }

  /** Whether a subject answers a request with a password. */
  async answers(subject: Subject): Promise<boolean> {
    const path = subject.id === "f" ? "/blob" : "/v2/";
    return this.curl(subject, 200, ["head", `url = "${subject.url}${path}"`]).then(
      () => true,
      () => false,
    );
  }

  private async curl(subject: Subject, status: number, request: readonly string[]): Promise<Answer> {
    const config = [
      "silent",
      "insecure",
      "http1.1",
      'output = "/dev/null"',
      'write-out = "%{http_code} %{time_total} %{size_download} %{size_upload} %header{location}"',
      `header = "Authorization: ${this.authorization}"`,
      ...request,
    ];
    const output = await inside(subject, ["curl", "--config", "-"], config.join("\n"));
    const [answered, seconds, downloaded, uploaded, location = ""] = output.split(" ");
    if (Number(answered) !== status) throw new Error(`${subject.id}: ${request.join(", ")} gave ${String(answered)}`);
    const bytes = Math.max(Number(downloaded), Number(uploaded));
    return { status, seconds: Number(seconds), bytes, location };
  }
}

/** Runs a client in the network namespace of the front container: no published port, no forwarding process. */
async function inside({ containers: [front = ""] }: Subject, client: readonly string[], input = ""): Promise<string> {
  const pid = await docker("inspect", "--format", "{{.State.Pid}}", front);
  return command("nsenter", [`--net=/proc/${pid}/ns/net`, ...client], input);
}

function luaScript(authorization: string): string {
  return `\
wrk.headers["Authorization"] = "${authorization}"
wrk.headers["Accept"] = "${manifestType}"
function done(summary, latency)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("%d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(99), failed))
end
`;
}
