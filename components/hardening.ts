import type * as docker from "@pulumi/docker";

export interface Limits {
  /** Memory, MiB; swap is off. */
  readonly memory: number;
  /** Processes and threads. The provider knows no pids limit of the control group; this one counts by user id. */
  readonly processes: number;
}

/**
 * What every container of ours has in common: no capability, no way to gain one, bounded memory, processes and logs.
 * What is empty here, and `memorySwap`, is spelled out because a refresh shows the engine's defaults as changes.
 */
export function hardened(limits: Limits) {
  return {
    capabilities: { drops: ["ALL"] },
    securityOpts: ["no-new-privileges:true"],
    memory: limits.memory,
    memorySwap: limits.memory,
    ulimits: [{ name: "nproc", soft: limits.processes, hard: limits.processes }],
    logDriver: "json-file",
    logOpts: { "max-size": "10m", "max-file": "3" },
    deviceCgroupRules: [],
    dns: [],
    dnsOpts: [],
    dnsSearches: [],
    groupAdds: [],
    storageOpts: {},
    sysctls: {},
    tmpfs: {},
  } satisfies Partial<docker.ContainerArgs>;
}
