import { randomInt } from "node:crypto";

import { run, succeed } from "../support/run.ts";

/** A rule of a firewall: what passes. */
export interface Rule {
  readonly protocol: "tcp" | "udp" | "icmp" | "all";
  /** A port, a range `8000-9000`, or nothing for all. */
  readonly ports?: string;
  /** Addresses or networks of the other side. */
  readonly peers: readonly string[];
}

/** What may come in and go out; all else is dropped. */
export interface Filter {
  readonly inbound: readonly Rule[];
  readonly outbound: readonly Rule[];
}

/** The address of the metadata service in every cloud. */
export const metadataAddress = "169.254.169.254";

/**
 * The Docker network of a cloud. This host reaches every machine in it; what the machines send elsewhere gets no answer,
 * as it leaves under their own addresses. Docker's own `internal` networks would drop the metadata service's address.
 */
export class Network {
  private readonly taken = new Set<number>();
  private block = 0;
  readonly name: string;
  private readonly label: string;
  private readonly bridge: string;
  readonly hasIpv6: boolean;

  constructor(name: string, label: string, bridge: string, hasIpv6: boolean) {
    this.name = name;
    this.label = label;
    this.bridge = bridge;
    this.hasIpv6 = hasIpv6;
  }

  get subnet(): string {
    return `198.19.${String(this.block)}.0/24`;
  }

  /** The address at which its machines reach this host. */
  get gateway(): string {
    return `198.19.${String(this.block)}.1`;
  }

  get subnet6(): string {
    return this.at6("/64");
  }

  /** In a range that nobody uses: networks for measurements between devices. */
  async create(): Promise<void> {
    for (let tries = 0; tries < 20; tries++) {
      this.block = randomInt(256);
      const { code, output } = await run("docker", [
        ...["network", "create", "--label", this.label, "--subnet", this.subnet],
        ...["--opt", "com.docker.network.bridge.enable_ip_masquerade=false"],
        ...["--opt", `com.docker.network.bridge.name=${this.bridge}`],
        ...(this.hasIpv6 ? ["--ipv6", "--subnet", this.subnet6] : []),
        this.name,
      ]);
      if (code === 0) return;
      if (!/overlaps/i.test(output)) throw new Error(output);
    }
    throw new Error("no free network was found in 198.19.0.0/16");
  }

  /** A free address. */
  allocate(): string {
    let host = 10;
    while (this.taken.has(host)) host++;
    if (host > 250) throw new Error("the cloud for tests has run out of addresses");
    this.taken.add(host);
    return `198.19.${String(this.block)}.${String(host)}`;
  }

  free(address: string): void {
    this.taken.delete(Number(address.split(".")[3]));
  }

  /** The IPv6 address that goes with an IPv4 address of this network. */
  ipv6Of(address: string): string {
    return this.at6(address.split(".")[3] ?? "");
  }

  private at6(end: string): string {
    return `fd19:${this.block.toString(16)}::${end}`;
  }

  /** Makes this host look again for the machine that has an address. */
  async forget(address: string): Promise<void> {
    await succeed("ip", ["neighbour", "flush", "to", address, "dev", this.bridge]);
  }
}

/**
 * The packet filter of a machine, in nft's language. It is outside the machine's own filters: before
 * Docker sends a packet on to a container, and after the last change of a packet that leaves.
 */
export function renderFilter(filter: Filter | undefined, isCutOff: boolean): string {
  const chain = (name: string, hook: string, side: "iifname" | "oifname", rules: readonly string[]) => `
  chain ${name} {
    type filter hook ${hook}; policy accept;
    ${side} != "eth0" accept
    ${(isCutOff ? ["drop"] : rules).join("\n    ")}
  }`;
  const always = [
    "ct state established,related accept",
    "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept",
    `ip daddr ${metadataAddress} accept`,
  ];
  const rules = (side: "saddr" | "daddr", allowed: readonly Rule[] | undefined) =>
    allowed === undefined ? [] : [...always, ...allowed.flatMap((rule) => renderRule(rule, side)), "drop"];
  return `table inet cloud
delete table inet cloud
table inet cloud {${chain("inbound", "prerouting priority mangle", "iifname", rules("saddr", filter?.inbound))}
${chain("outbound", "postrouting priority srcnat + 50", "oifname", rules("daddr", filter?.outbound))}
}
`;
}

function renderRule({ protocol, ports, peers }: Rule, side: "saddr" | "daddr"): string[] {
  return peers.map((peer) => {
    const family = peer.includes(":") ? "ip6" : "ip";
    const icmp = family === "ip6" ? "meta l4proto ipv6-icmp " : "meta l4proto icmp ";
    const port = ports === undefined ? "" : `dport ${ports} `;
    const match = {
      tcp: ports === undefined ? "meta l4proto tcp " : `tcp ${port}`,
      udp: ports === undefined ? "meta l4proto udp " : `udp ${port}`,
      icmp,
      all: "",
    };
    return `${family} ${side} ${peer} ${match[protocol]}accept`;
  });
}
