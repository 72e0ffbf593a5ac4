import { type ChildProcess, spawn } from "node:child_process";
import type { X509Certificate } from "node:crypto";
import { promises as resolvers } from "node:dns";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import { issue } from "./certificates.ts";
import { freePort } from "./checkout.ts";
import { goTools } from "./goTools.ts";

export interface AuthorityOptions {
  /** The port on which the authority asks for HTTP-01 challenges, at the address of a name. */
  readonly httpPort: number;
  /** The address of this machine at which its API is: the gateway of a Docker network for clients in containers. */
  readonly listen?: string;
  /** The name server that it asks, `ADDRESS:PORT`. Default: `names`. */
  readonly nameServer?: string;
  /** The IPv4 address of all names without one of their own. No name has an IPv6 address. */
  readonly resolves?: string;
  /** For each profile, how many seconds its certificates are valid. */
  readonly profiles?: Readonly<Record<string, number>>;
  /** The only external account that an account may be bound to, and must be. `hmac` is base64url. */
  readonly eab?: { readonly kid: string; readonly hmac: string };
  /** Domains that it refuses to sign (rejectedIdentifier), with all names in them. */
  readonly refuses?: readonly string[];
  /** The percentage of nonces that it refuses, although they are good. */
  readonly rejectedNonces?: number;
  /** How many seconds, at most, it lets pass before each of the three times that it asks for a challenge; at random. */
  readonly slow?: number;
}

/**
 * An ACME authority, pebble, and the name server that it asks. It keeps all in memory: `stop` and `start` make a new
 * one, at the same address but with another root, that knows no account and no certificate of the earlier one.
 */
export class Authority {
  static async start(options: AuthorityOptions): Promise<Authority> {
    const authority = new Authority(options, await goTools("pebble"), [await freePort(), await freePort()]);
    try {
      await authority.names.start(await freePort(), await freePort());
      await authority.start();
    } catch (error) {
      await authority.dispose();
      throw error;
    }
    return authority;
  }

  readonly names: NameServer;
  /** The URL of its directory, with `https:`. */
  readonly directory: string;
  /** The certificate that a client needs to trust its API. The ones that it signs have another root. */
  readonly tlsRoot: string;
  private readonly folder = mkdtempSync(join(tmpdir(), "authority-"));
  private readonly tools: string;
  private readonly listen: string;
  private readonly management: string;
  private options: AuthorityOptions;
  private process: ChildProcess | undefined;

  private constructor(options: AuthorityOptions, tools: string, [port, managementPort]: readonly [number, number]) {
    const address = options.listen ?? "127.0.0.1";
    this.options = options;
    this.tools = tools;
    this.listen = `${address}:${String(port)}`;
    this.management = `127.0.0.1:${String(managementPort)}`;
    this.directory = `https://${this.listen}/dir`;
    this.names = new NameServer(tools, join(this.folder, "names.log"), options.resolves ?? "127.0.0.1");
    const issuer = issue({ commonName: "authority's API" });
    const names = [...new Set([address, "127.0.0.1"])].map((each) => `IP:${each}`).join(",");
    const { certificate, key } = issue({ commonName: "authority", names, issuer });
    this.tlsRoot = issuer.certificate;
    writeFileSync(join(this.folder, "tls.crt"), certificate);
    writeFileSync(join(this.folder, "tls.key"), key);
  }

  /** Starts it anew, where asked for with other options than before. */
  async start(changes: Partial<Omit<AuthorityOptions, "listen" | "resolves">> = {}): Promise<void> {
    this.options = { ...this.options, ...changes };
    const config = join(this.folder, "pebble.json");
    writeFileSync(config, JSON.stringify({ pebble: this.configuration() }));
    const { slow } = this.options;
    const env = {
      ...(slow === undefined ? { PEBBLE_VA_NOSLEEP: "1" } : { PEBBLE_VA_SLEEPTIME: String(slow) }),
      PEBBLE_WFE_NONCEREJECT: String(this.options.rejectedNonces ?? 0),
      PEBBLE_AUTHZREUSE: "0", // Each order is a challenge.
    };
    const command = [
      join(this.tools, "pebble"),
      "-config",
      config,
      "-dnsserver",
      this.options.nameServer ?? this.names.address,
    ];
    const isReady = async () => (await this.ask(`https://${this.listen}/dir`)) !== "" && (await this.root()) !== "";
    this.process = await started(command, env, join(this.folder, "pebble.log"), isReady);
  }

  /** The root of the certificates that it signs. */
  root(): Promise<string> {
    return this.ask(`https://${this.management}/roots/0`);
  }

  /** From now on it wants a certificate of its own renewed at once (ARI, RFC 9773). */
  async suggestRenewal(certificate: X509Certificate): Promise<void> {
    const past = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();
    const ARIResponse = JSON.stringify({ suggestedWindow: { start: past(2), end: past(1) } });
    const body = JSON.stringify({ Certificate: certificate.toString(), ARIResponse });
    await this.ask(`https://${this.management}/set-renewal-info/`, body);
  }

  /** What it has printed since its last start. */
  get log(): string {
    return readFileSync(join(this.folder, "pebble.log"), "utf8");
  }

  /** From now on it takes connections and doesn't answer. */
  pause(): void {
    this.process?.kill("SIGSTOP");
  }

  resume(): void {
    this.process?.kill("SIGCONT");
  }

  /** From now on it refuses connections. */
  async stop(): Promise<void> {
    await ended(this.process);
  }

  /** Stops all, for good. */
  async dispose(): Promise<void> {
    await this.stop();
    await this.names.stop();
    rmSync(this.folder, { recursive: true });
  }

  private configuration(): object {
    const { httpPort, eab, refuses = [], profiles = { default: 90 * 86400, shortlived: 160 * 3600 } } = this.options;
    const validity = (seconds: number) => ({ description: `${String(seconds)} s`, validityPeriod: seconds });
    return {
      listenAddress: this.listen,
      managementListenAddress: this.management,
      certificate: join(this.folder, "tls.crt"),
      privateKey: join(this.folder, "tls.key"),
      httpPort,
      tlsPort: httpPort,
      externalAccountBindingRequired: eab !== undefined,
      externalAccountMACKeys: eab === undefined ? {} : { [eab.kid]: eab.hmac },
      domainBlocklist: refuses,
      keyAlgorithm: "ecdsa",
      profiles: Object.fromEntries(Object.entries(profiles).map(([name, seconds]) => [name, validity(seconds)])),
      retryAfter: { authz: 1, order: 1 },
    };
  }

  private ask(url: string, body?: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = { "User-Agent": "test" }; // It refuses clients without one.
      const method = body === undefined ? "GET" : "POST";
      const options = { method, ca: this.tlsRoot, agent: false, headers, signal: AbortSignal.timeout(5000) };
      const asking = request(url, options, (response) => {
        if (response.statusCode === 200) resolve(text(response));
        else reject(new Error(`the authority answers ${String(response.statusCode)} to ${url}`));
      });
      asking.on("error", reject).end(body);
    });
  }
}

/** The name server of an authority, pebble-challtestsrv: it knows every name. */
class NameServer {
  private readonly tools: string;
  private readonly log: string;
  private readonly resolves: string;
  private process: ChildProcess | undefined;
  private management = "";
  /** `127.0.0.1:PORT` */
  address = "";

  constructor(tools: string, log: string, resolves: string) {
    this.tools = tools;
    this.log = log;
    this.resolves = resolves;
  }

  async start(port: number, managementPort: number): Promise<void> {
    this.address = `127.0.0.1:${String(port)}`;
    this.management = `127.0.0.1:${String(managementPort)}`;
    const resolver = new resolvers.Resolver({ timeout: 500, tries: 1 });
    resolver.setServers([this.address]);
    const command = [
      ...[join(this.tools, "pebble-challtestsrv"), "-dnsserver", this.address, "-management", this.management],
      ...["-defaultIPv4", this.resolves, "-defaultIPv6", ""],
      ...["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""],
    ];
    this.process = await started(command, {}, this.log, async () => {
      await this.clearTxt("ready.test");
      return (await resolver.resolve("ready.test")).length > 0;
    });
  }

  async setA(name: string, address: string): Promise<void> {
    await this.post("clear-a", { host: name });
    await this.post("add-a", { host: name, addresses: [address] });
  }

  /** Adds a text to those that a name has. */
  addTxt(name: string, value: string): Promise<void> {
    return this.post("set-txt", { host: name, value });
  }

  clearTxt(name: string): Promise<void> {
    return this.post("clear-txt", { host: name });
  }

  /** Every query for this name fails. */
  setFailing(name: string): Promise<void> {
    return this.post("set-servfail", { host: name });
  }

  clearFailing(name: string): Promise<void> {
    return this.post("clear-servfail", { host: name });
  }

  async stop(): Promise<void> {
    await ended(this.process);
  }

  private async post(path: string, body: object): Promise<void> {
    const response = await fetch(`http://${this.management}/${path}`, { method: "POST", body: JSON.stringify(body) });
    const answer = await response.text();
    if (!response.ok) throw new Error(`the name server answers ${String(response.status)} to ${path}: ${answer}`);
  }
}

/** Runs a program with this environment alone and waits until it is ready. */
async function started(
  [program = "", ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
  log: string,
  isReady: () => Promise<boolean>,
): Promise<ChildProcess> {
  const output = openSync(log, "w");
  const child = spawn(program, args, { env, stdio: ["ignore", output, output] });
  closeSync(output);
  for (let tries = 0; tries < 100 && child.exitCode === null; tries++) {
    if (await isReady().catch(() => false)) return child;
    await sleep(50);
  }
  await ended(child);
  throw new Error(`${program} doesn't answer.\n${readFileSync(log, "utf8")}`);
}

/** Kills a program, also a paused one, unless it has ended. */
async function ended(child: ChildProcess | undefined): Promise<void> {
  if (child?.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}
