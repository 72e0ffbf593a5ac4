import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { RegistryClient } from "../../cli/client.ts";
import type { Outputs } from "../../components/outputs.ts";
import { type Result, run, succeed } from "./run.ts";

/** One large blob, pushed and pulled by curl as slowly as a test wants. */
export class Transfers {
  private readonly folder = mkdtempSync(join(tmpdir(), "transfers-"));
  private readonly blob = join(this.folder, "blob");
  private readonly client: RegistryClient;
  private readonly options: readonly string[];
  private digest = "";
  /** How many are under way. */
  running = 0;

  /** @param address Where to connect. Default: where the registry's name leads. */
  constructor(
    { url, caCertificate, passwords }: Pick<Outputs, "url" | "caCertificate" | "passwords">,
    address?: string,
  ) {
    this.client = new RegistryClient(url, caCertificate, passwords, address);
    writeFileSync(join(this.folder, "ca.pem"), caCertificate);
    this.options = [
      ...["--silent", "--show-error", "--fail-with-body", "--cacert", join(this.folder, "ca.pem")],
      ...(address === undefined ? [] : ["--connect-to", `::${address}:`]),
    ];
  }

  /** Makes the blob. */
  async prepare(megabytes: number): Promise<void> {
    await succeed("dd", ["if=/dev/urandom", `of=${this.blob}`, "bs=1M", `count=${String(megabytes)}`, "status=none"]);
    this.digest = await this.digestOf(this.blob);
  }

  /**
   * Pushes the blob as docker does: an upload begins, its bytes come in a stream of unknown length, its digest ends it.
   *
   * @param rate Bytes per second, in curl's terms.
   */
  push(repository: string, rate = "1G"): Promise<void> {
    return this.counted(async () => {
      const begun = await this.client.ask("POST", `/v2/${repository}/blobs/uploads/`, { as: "admin" });
      const headers = join(this.folder, `headers-${repository}`);
      const streamed = await this.curl(
        ...["--request", "PATCH", "--header", "Transfer-Encoding: chunked", "--limit-rate", rate],
        ...["--header", "Content-Type: application/octet-stream", "--dump-header", headers],
        ...["--upload-file", this.blob, `${this.client.url}${this.client.uploadTarget(begun)}`],
      );
      assert.equal(streamed.code, 0, streamed.output);
      const location = /^location: (\S+)/im.exec(readFileSync(headers, "utf8"))?.[1] ?? "";
      const ended = await this.curl("--request", "PUT", `${location}&digest=${this.digest}`);
      assert.equal(ended.code, 0, ended.output);
    });
  }

  /**
   * Pulls the blob, which must be the one that was pushed.
   *
   * @param rate Bytes per second, in curl's terms.
   */
  pull(repository: string, rate = "1G"): Promise<void> {
    return this.counted(async () => {
      const path = join(this.folder, "pulled");
      const { code, output } = await this.curl(
        ...["--limit-rate", rate, "--output", path, `${this.client.url}/v2/${repository}/blobs/${this.digest}`],
      );
      assert.equal(code, 0, output);
      assert.equal(await this.digestOf(path), this.digest);
    });
  }

  dispose(): void {
    this.client.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async counted(transfer: () => Promise<void>): Promise<void> {
    this.running++;
    try {
      await transfer();
    } finally {
      this.running--;
    }
  }

  private curl(...args: string[]): Promise<Result> {
    const input = `user = "admin:${this.client.passwords["admin"] ?? ""}"\n`;
    return run("curl", ["--config", "-", ...this.options, ...args], { input });
  }

  private async digestOf(path: string): Promise<string> {
    return `sha256:${(await succeed("sha256sum", [path])).slice(0, 64)}`;
  }
}
