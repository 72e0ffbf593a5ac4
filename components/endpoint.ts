import { isIP } from "node:net";

/**
 * Who may use an endpoint: `users` sign in; `anybody` may pull the open repositories without a password; an authority looks
 * for the answers to its `challenges`, without TLS.
 */
export type Audience = "users" | "anybody" | "challenges";

/** A port of the proxy. All endpoints have the same hostname. */
export interface Endpoint {
  readonly name: "registry" | "anonymous" | "challenges";
  readonly audience: Audience;
  /** The TCP port that clients type, 1 to 65535. A change replaces the proxy container. */
  readonly port: number;
}

/** All networks, in CIDR notation. */
export const everywhere: readonly string[] = ["0.0.0.0/0", "::/0"];

/** The TCP ports of a machine, by who may connect. A change goes live. */
export interface OpenPorts {
  /** Those that only some networks may connect to. */
  readonly ports: readonly number[];
  /** Those that everybody may connect to. */
  readonly publicPorts: readonly number[];
}

/** The ports of some endpoints: an authority tells nobody from where it looks for the answers to its challenges. */
export function openPortsOf(endpoints: readonly Endpoint[]): OpenPorts {
  const portsOf = (isPublic: boolean) =>
    endpoints.filter(({ audience }) => (audience === "challenges") === isPublic).map(({ port }) => port);
  return { ports: portsOf(false), publicPorts: portsOf(true) };
}

/** Whether a hostname refers to the client's own machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** The address on which the proxy's ports are published. */
export function publishedOn(hostname: string): "0.0.0.0" | "127.0.0.1" {
  return isLoopback(hostname) ? "127.0.0.1" : "0.0.0.0";
}

/** What people type after `docker login`: `host:port`, or `host` alone on port 443. */
export function authorityOf(hostname: string, port: number): string {
  return port === 443 ? hostname : `${hostname}:${String(port)}`;
}

/** All names and addresses that a client could type for this hostname. The certificate is for these. */
export function namesOf(hostname: string): string[] {
  return isLoopback(hostname) ? [...new Set([hostname, "localhost", "127.0.0.1", "::1"])] : [hostname];
}

/** The DNS records that point a hostname at an address, `NAME A ADDRESS`; none if people type the address itself. */
export function renderRecords(hostname: string, ipv4Address: string, ipv6Address: string): string[] {
  if (isIP(hostname) !== 0 || isLoopback(hostname) || isIP(ipv4Address) !== 4) return [];
  return [`${hostname} A ${ipv4Address}`, ...(ipv6Address === "" ? [] : [`${hostname} AAAA ${ipv6Address}`])];
}
