import { createHash } from "node:crypto";
import * as https from "node:https";
import { TLSSocket } from "node:tls";

export interface Answer {
  readonly status: number;
  /** All values of a header, by its name in lower case. */
  readonly header: (name: string) => string[];
  readonly body: Buffer;
  /** The version of TLS that was used. */
  readonly tls: string;
}

export interface Question {
  /** The user who asks. Default: anonymous. */
  readonly as?: string | undefined;
  readonly body?: Buffer | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** No answer came in time. */
export class NoAnswer extends Error {}

/** A client of the registry's API that keeps its connections alive, one for each concurrent request. */
export class RegistryClient {
  private readonly agent: https.Agent;
  readonly url: string;
  readonly passwords: Readonly<Record<string, string>>;
  private readonly address: string | undefined;

  /**
   * @param url `https://host:port`
   * @param ca The trusted authority, PEM; empty: the public authorities.
   * @param passwords The password of each user, by name.
   * @param address The address to connect to. Default: that of the name in the URL.
   */
  constructor(url: string, ca: string, passwords: Readonly<Record<string, string>>, address?: string) {
    this.url = url;
    this.passwords = passwords;
    this.address = address;
    this.agent = new https.Agent({ keepAlive: true, ...(ca !== "" && { ca }) });
  }

  /** @param path The request target, sent unchanged. */
  ask(method: string, path: string, { as, body, headers }: Question = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { host, hostname } = new URL(this.url);
      const request = https.request(this.url, {
        ...(this.address !== undefined && { hostname: this.address, servername: hostname }),
        path,
        agent: this.agent,
        method,
        timeout: 30_000,
        headers: {
          Host: host,
          Accept: "application/vnd.oci.image.manifest.v1+json, */*",
          ...(as !== undefined && { Authorization: basicAuthorization(as, this.passwords[as] ?? "") }),
          "Content-Length": body?.length ?? 0,
          ...headers,
        },
      });
      request.on("timeout", () => request.destroy(new NoAnswer("no answer within 30 seconds")));
      request.on("error", reject);
      request.on("response", (response) => {
        const tls = response.socket instanceof TLSSocket ? response.socket.getProtocol() : null;
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const header = (name: string) => response.headersDistinct[name] ?? [];
          resolve({ status: response.statusCode ?? 0, header, body: Buffer.concat(chunks), tls: tls ?? "no TLS" });
        });
      });
      request.end(body);
    });
  }

  /** Uploads a blob. Returns the last answer: 201 on success, else the refusal. */
  async pushBlob(as: string, repository: string, blob: Buffer): Promise<Answer> {
    const begun = await this.ask("POST", `/v2/${repository}/blobs/uploads/`, { as });
    if (begun.status !== 202) return begun;
    return this.ask("PUT", this.uploadTarget(begun, digestOf(blob)), {
      as,
      body: blob,
      headers: { "Content-Type": "application/octet-stream" },
    });
  }

  /** The target at which an upload continues, or with a digest, completes. */
  uploadTarget(begun: Answer, digest?: string): string {
    const [location = ""] = begun.header("location");
    const target = new URL(location, this.url);
    if (target.origin !== new URL(this.url).origin) throw new Error(`an upload was sent to ${target.origin}`);
    if (digest !== undefined) target.searchParams.set("digest", digest);
    return target.pathname + target.search;
  }

  /** Uploads a manifest: 201 on success. */
  pushManifest(as: string, repository: string, reference: string, manifest: Buffer): Promise<Answer> {
    return this.ask("PUT", `/v2/${repository}/manifests/${reference}`, {
      as,
      body: manifest,
      headers: { "Content-Type": "application/vnd.oci.image.manifest.v1+json" },
    });
  }

  /** Pushes an artifact of one layer by digest. Returns the answers for its layer, configuration and manifest. */
  async pushArtifact(as: string, repository: string, layer: Buffer): Promise<Answer[]> {
    const manifest = manifestOf(layer);
    return [
      await this.pushBlob(as, repository, layer),
      await this.pushBlob(as, repository, emptyConfig),
      await this.pushManifest(as, repository, digestOf(manifest), manifest),
    ];
  }

  close(): void {
    this.agent.destroy();
  }
}

/** The Authorization header of HTTP basic authentication. */
export function basicAuthorization(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

/** The empty configuration of an artifact that is not a container image. */
export const emptyConfig = Buffer.from("{}");

/** An OCI manifest of one layer, with the empty configuration. */
export function manifestOf(layer: Buffer): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf(emptyConfig), size: 2 },
      layers: [{ mediaType: "text/plain", digest: digestOf(layer), size: layer.length }],
    }),
  );
}

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
