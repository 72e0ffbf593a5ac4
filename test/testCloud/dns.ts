import { type ChildProcess, spawn } from "node:child_process";
import { promises as resolvers } from "node:dns";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { freePort } from "../support/checkout.ts";
import { run, succeed } from "../support/run.ts";

export type RecordType = "A" | "AAAA" | "CNAME" | "TXT";

/** The answers for a name. */
export interface DnsRecord {
  /** The whole name, without a dot at its end. */
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly values: readonly string[];
}

/** A DNS server, dnsmasq, with the zones of all providers. */
export class Dns {
  private readonly records = new Map<unknown, DnsRecord>();
  private server: ChildProcess | undefined;
  private port = 0;
  private gateway = "";
  /** The last restart: they run one after the other. */
  private restarted: Promise<void> = Promise.resolve();
  private readonly folder: string;
  private readonly zones: readonly string[];

  constructor(folder: string, zones: readonly string[]) {
    this.folder = folder;
    this.zones = zones;
  }

  /** `127.0.0.1:PORT` */
  get address(): string {
    return `127.0.0.1:${String(this.port)}`;
  }

  /** Where machines reach it: `ADDRESS:PORT`. */
  get addressForMachines(): string {
    return `${this.gateway}:${String(this.port)}`;
  }

  /** @param gateway The address at which machines reach this host. */
  async start(gateway = "127.0.0.1"): Promise<void> {
    this.gateway = gateway;
    if ((await run("sh", ["-c", "command -v dnsmasq"])).code !== 0) {
      // The package dnsmasq would start its own server.
      await succeed("bootstrap/ensure-commands", ["dnsmasq-base"]);
    }
    this.port = await freePort();
    await this.restart();
  }

  /** Serves a record in place of its owner's earlier one. */
  set(owner: unknown, record: DnsRecord): Promise<void> {
    this.records.set(owner, record);
    return this.restart();
  }

  delete(owner: unknown): Promise<void> {
    this.records.delete(owner);
    return this.restart();
  }

  get owners(): unknown[] {
    return [...this.records.keys()];
  }

  /** All records of all owners. */
  get all(): DnsRecord[] {
    return [...this.records.values()];
  }

  /** The server's answer; empty for an unknown name. */
  async resolve(name: string, type: RecordType): Promise<string[]> {
    const resolver = new resolvers.Resolver({ timeout: 1000, tries: 3 });
    resolver.setServers([this.address]);
    try {
      return ((await resolver.resolve(name, type)) as (string | string[])[]).flat();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOTFOUND" || code === "ENODATA") return [];
      throw error;
    }
  }

  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (server?.exitCode !== null || server.signalCode !== null) return;
    server.kill("SIGTERM");
    await once(server, "exit");
  }

  private restart(): Promise<void> {
    this.restarted = this.restarted.then(async () => {
      await this.stop();
      const path = join(this.folder, "dnsmasq.conf");
      writeFileSync(path, this.renderConfiguration());
      this.server = spawn("dnsmasq", ["--keep-in-foreground", "--conf-file=" + path], { stdio: "ignore" });
      await this.untilItAnswers();
    });
    return this.restarted;
  }

  private async untilItAnswers(): Promise<void> {
    for (let tries = 0; tries < 100; tries++) {
      const answers = await this.resolve("ready.test", "A").catch(() => []);
      if (answers.length > 0) return;
      await sleep(20);
    }
    throw new Error("dnsmasq was started and doesn't answer");
  }

  private renderConfiguration(): string {
    return [
      ...[`listen-address=127.0.0.1,${this.gateway}`, "bind-interfaces", "no-resolv", "no-hosts"],
      `pid-file=${join(this.folder, "dnsmasq.pid")}`,
      ...[`port=${String(this.port)}`, `user=${process.getuid?.() === 0 ? "root" : ""}`],
      ...["host-record=ready.test,127.0.0.1", ...this.zones.map((zone) => `local=/${zone}/`)],
      ...this.zones.map((zone) => `dns-rr=${zone},${String(soa.type)},${soa.data(zone)}`),
      ...this.all.flatMap(renderRecord),
      "",
    ].join("\n");
  }
}

/** The record by which a client finds where a zone begins, for a server that knows none. */
const soa = {
  type: 6,
  /** In hexadecimal digits: the names of server and person, then serial number, four times in seconds. */
  data: (zone: string) => {
    const name = (labels: string) =>
      Buffer.concat([
        ...labels.split(".").map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`)),
        Buffer.of(0),
      ]);
    const numbers = Buffer.alloc(20);
    [1, 3600, 600, 86400, 60].forEach((number, i) => numbers.writeUInt32BE(number, 4 * i));
    return Buffer.concat([name(`ns.${zone}`), name(`hostmaster.${zone}`), numbers]).toString("hex");
  },
};

function renderRecord({ name, type, ttl, values }: DnsRecord): string[] {
  return values.map((value) => {
    switch (type) {
      case "A":
      case "AAAA":
        return `host-record=${name},${value},${String(ttl)}`;
      case "CNAME":
        return `cname=${name},${value.replace(/\.$/, "")},${String(ttl)}`;
      case "TXT":
        return `txt-record=${name},"${value}"`;
      default:
        throw new Error(`the cloud for tests serves no records of type ${type}`);
    }
  });
}
