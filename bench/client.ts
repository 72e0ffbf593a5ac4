// Pulls or pushes small images concurrently, each with its own client and connection. Runs in the network namespace of
// a subject, reads a Job from standard input and prints the Transfer.
import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";

import { digestOf } from "../cli/client.ts";
import { bytesOf } from "./data.ts";

export interface Job {
  readonly action: "pull" | "push";
  readonly url: string;
  readonly authorization: string;
  readonly images: number;
  readonly tag: string;
  /** The seed of the images' content. */
  readonly seed: string;
}

export interface Transfer {
  readonly seconds: number;
  readonly bytes: number;
}

interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

interface Answer {
  readonly location: string;
  readonly body: Buffer;
}

interface Body {
  readonly type: string;
  readonly content: Buffer;
  /** Whether it is sent in chunks, without its length. */
  readonly chunked?: boolean;
}

const manifestType = "application/vnd.oci.image.manifest.v1+json";
const layerSizes = [128, 512, 1024].map((kibibytes) => kibibytes * 1024);

const job = JSON.parse(readFileSync(0, "utf8")) as Job;

async function transferAll(): Promise<Transfer> {
  const names = Array.from({ length: job.images }, (_, index) => `bench/image-${String(index)}`);
  // The content is generated before the clock starts.
  const tasks = names.map((name) => (job.action === "push" ? preparePush(name) : pull(name)));
  const start = performance.now();
  const bytes = await Promise.all(
    tasks.map(async (task) => {
      const client = new Client();
      const transferred = await task(client);
      client.close();
      return transferred;
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  return { seconds, bytes: bytes.reduce((sum, transferred) => sum + transferred, 0) };
}

function pull(name: string): (client: Client) => Promise<number> {
  return async (client) => {
    const { body } = await client.ask("GET", `/v2/${name}/manifests/${job.tag}`);
    const { config, layers } = JSON.parse(body.toString()) as Manifest;
    let bytes = 0;
    for (const { digest, size } of [config, ...layers]) {
      const blob = await client.ask("GET", `/v2/${name}/blobs/${digest}`);
      if (blob.body.length !== size) throw new Error(`${digest} came back as ${String(blob.body.length)} bytes`);
      bytes += size;
    }
    return bytes;
  };
}

/** As Docker pushes: each blob in three requests, then the manifest. */
function preparePush(name: string): (client: Client) => Promise<number> {
  const contentOf = (part: string, size: number) => bytesOf(`${job.seed} ${name} ${part}`, size);
  const describe = (mediaType: string, content: Buffer) => ({
    content,
    descriptor: { mediaType, digest: digestOf(content), size: content.length },
  });
  const config = describe(
    "application/vnd.oci.image.config.v1+json",
    Buffer.from(
      JSON.stringify({ architecture: "amd64", os: "linux", author: contentOf("config", 512).toString("hex") }),
    ),
  );
  const layers = layerSizes.map((size) =>
    describe("application/vnd.oci.image.layer.v1.tar", contentOf(String(size), size)),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: config.descriptor,
      layers: layers.map(({ descriptor }) => descriptor),
    }),
  );
  return async (client) => {
    let bytes = 0;
    for (const { content, descriptor } of [...layers, config]) {
      const begun = await client.ask("POST", `/v2/${name}/blobs/uploads/`);
      const sent = await client.ask("PATCH", begun.location, {
        type: "application/octet-stream",
        content,
        chunked: true,
      });
      const end = new URL(sent.location, job.url);
      end.searchParams.set("digest", descriptor.digest);
      await client.ask("PUT", end.pathname + end.search);
      bytes += content.length;
    }
    await client.ask("PUT", `/v2/${name}/manifests/${job.tag}`, { type: manifestType, content: manifest });
    return bytes;
  };
}

class Client {
  private readonly tls = job.url.startsWith("https:");
  private readonly agent = this.tls
    ? new https.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
    : new http.Agent({ keepAlive: true, maxSockets: 1 });

  ask(method: string, path: string, body?: Body): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = (this.tls ? https : http).request(new URL(path, job.url), {
        agent: this.agent,
        method,
        timeout: 60_000,
        headers: {
          Authorization: job.authorization,
          Accept: manifestType,
          ...(body && { "Content-Type": body.type }),
          ...(body?.chunked === true
            ? { "Transfer-Encoding": "chunked" }
            : { "Content-Length": body?.content.length ?? 0 }),
        },
      });
      request.on("timeout", () => request.destroy(new Error(`${method} ${path}: no answer within a minute`)));
      request.on("error", reject);
      request.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          const status = response.statusCode ?? 0;
          if (status < 300) resolve({ location: response.headers.location ?? "", body: Buffer.concat(chunks) });
          else reject(new Error(`${method} ${path}: ${String(status)} ${Buffer.concat(chunks).toString()}`));
        });
      });
      request.end(body?.content);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

void transferAll().then((transfer) => console.log(JSON.stringify(transfer)));
