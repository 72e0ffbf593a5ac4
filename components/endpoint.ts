import { isIP } from "node:net";

/** Who is let in: `users` sign in; `anybody` may pull what is open to them, and no password is asked for. */
export type Audience = "users" | "anybody";

/** Where clients reach the registry. All of them have one hostname. */
export interface Endpoint {
  readonly name: "registry" | "anonymous";
  readonly audience: Audience;
  /** The TCP port that clients type, 1 to 65535. A change replaces the proxy container. */
  readonly port: number;
}

/** Whether a hostname means the machine that the client itself runs on. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** The address of the machine that the proxy's ports are published on. */
export function publishedOn(hostname: string): string {
  return isLoopback(hostname) ? "127.0.0.1" : "0.0.0.0";
}

/** What people type after `docker login`: `host:port`, or `host` alone on port 443. */
export function authorityOf(hostname: string, port: number): string {
  return port === 443 ? hostname : `${hostname}:${String(port)}`;
}

/** All names and addresses of the machine that a client could type for this hostname: those of its certificate. */
export function namesOf(hostname: string): string[] {
  return isLoopback(hostname) ? [...new Set([hostname, "localhost", "127.0.0.1", "::1"])] : [hostname];
}

/** The DNS records by which a hostname leads to an address, `NAME A ADDRESS`; none where people type the address itself. */
export function renderRecords(hostname: string, ipv4Address: string, ipv6Address: string): string[] {
  if (isIP(hostname) !== 0 || isLoopback(hostname) || isIP(ipv4Address) !== 4) return [];
  return [`${hostname} A ${ipv4Address}`, ...(ipv6Address === "" ? [] : [`${hostname} AAAA ${ipv6Address}`])];
}
