import { execFile } from "node:child_process";

import type { Engine } from "../components/hosts/engine.ts";
import { sshWords } from "./engineClient.ts";

/** A TCP socket that a program listens on. */
interface Listener {
  /** In hexadecimal, as Linux lists it. */
  readonly address: string;
  readonly port: number;
}

/** What is listened on at a machine behind SSH; empty if it can't be found out, as without Linux. */
export function askListeners(engine: Engine): Promise<Listener[]> {
  const command = ["-n", ...sshWords(engine), "cat", "/proc/net/tcp", "/proc/net/tcp6"];
  return new Promise((resolve) => {
    // A kernel without IPv6 has only the first list: the exit code says nothing.
    execFile("ssh", command, { timeout: 15_000 }, (_, printed) => resolve(parseListeners(printed)));
  });
}

/** @param table The text of /proc/net/tcp and /proc/net/tcp6. */
export function parseListeners(table: string): Listener[] {
  const listening = table.matchAll(/^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ 0A /gm);
  return [...listening].map(([, address = "", port = ""]) => ({ address, port: parseInt(port, 16) }));
}

/**
 * Whether nothing else can listen on a port of an IPv4 address any more. A socket for all of IPv6 usually is one for IPv4,
 * too; the lists don't tell.
 */
export function isTaken(listeners: readonly Listener[], port: number, on: "0.0.0.0" | "127.0.0.1"): boolean {
  return listeners.some(({ address, port: taken }) => {
    const overlaps = on === "0.0.0.0" ? address.length === 8 : address === "0100007F";
    return taken === port && (overlaps || /^0+$/.test(address));
  });
}
