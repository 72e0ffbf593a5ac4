import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import { join } from "node:path";
import { Duplex } from "node:stream";

import type { Engine } from "../components/hosts/engine.ts";

/** The answer of an engine: the status and the parsed JSON body. */
export interface EngineAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** A read-only client of an engine, for checks before anything is created. */
export interface EngineClient {
  /** @throws Error if the engine doesn't answer in time. */
  get(path: string): Promise<EngineAnswer>;
}

/** A client of the engine's HTTP API: over its socket, over TLS with the client's certificate, or over SSH. */
export function connectTo(engine: Engine, timeoutMs = 15_000): EngineClient {
  return { get: (path) => get(engine, path, timeoutMs) };
}

function get(engine: Engine, path: string, timeoutMs: number): Promise<EngineAnswer> {
  return new Promise((resolve, reject) => {
    const request = open(engine, path);
    const late = new Error(`no answer within ${String(timeoutMs / 1000)} seconds`);
    const timer = setTimeout(() => request.destroy(late), timeoutMs);
    request.on("close", () => clearTimeout(timer));
    request.on("error", reject);
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: readJson(Buffer.concat(chunks).toString("utf8")) });
      });
    });
    request.end();
  });
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text.trim() };
  }
}

function open(engine: Engine, path: string): http.ClientRequest {
  const url = new URL(engine.host);
  const headers = { Connection: "close" };
  switch (url.protocol) {
    case "unix:":
      return http.request({ socketPath: url.pathname, path, headers });
    case "ssh:":
      return http.request({ path, headers, createConnection: () => dialOverSsh(engine) });
    default: {
      const address = { host: url.hostname, port: url.port, path, headers };
      if (engine.certPath === undefined) return http.request(address);
      const read = (file: string) => readFileSync(join(engine.certPath ?? "", file));
      return https.request({ ...address, ca: read("ca.pem"), cert: read("cert.pem"), key: read("key.pem") });
    }
  }
}

/** The words for `ssh` before a command. */
export function sshWords({ host, sshOptions = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=10"] }: Engine): string[] {
  return [...sshOptions, host];
}

/** As Docker's own client does it: `docker` on the machine passes its input on to the engine. */
function dialOverSsh(engine: Engine): Duplex {
  const ssh = spawn("ssh", [...sshWords(engine), "docker", "system", "dial-stdio"], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  const said: string[] = [];
  ssh.stderr.on("data", (chunk: Buffer) => said.push(chunk.toString("utf8")));
  const stream = new Duplex({
    read: () => ssh.stdout.resume(),
    write: (chunk, encoding, done) => ssh.stdin.write(chunk, encoding, done),
    final: (done) => ssh.stdin.end(done),
    destroy: (error, done) => {
      ssh.kill();
      done(error);
    },
  });
  ssh.stdout.on("data", (chunk: Buffer) => {
    if (!stream.push(chunk)) ssh.stdout.pause();
  });
  ssh.stdin.on("error", () => undefined); // ssh has ended; its exit is handled below.
  ssh.on("error", (error) => stream.destroy(error));
  // Only the exit code shows whether the answer was complete.
  ssh.on("close", (code) => {
    if (code === 0) stream.push(null);
    else stream.destroy(new Error(lastLine(said.join("")) ?? `ssh ended with ${String(code)}`));
  });
  return stream;
}

/** The last line of ssh's output. A banner or a long warning may come before it. */
function lastLine(text: string): string | undefined {
  return /\S.*(?=\s*$)/.exec(text)?.[0].trim();
}
