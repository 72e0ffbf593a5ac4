import type * as docker from "@pulumi/docker";

export interface Limits {
  /** Memory, MiB; swap is off. */
  readonly memory: number;
  /** Processes and threads. The provider can't set the pids limit of the control group; this limit is per user id. */
  readonly processes: number;
}

/**
 * The options of every container: no capability, no way to gain one, limits on memory, processes and logs. The empty
 * options and `memorySwap` are explicit because a refresh would show the engine's defaults as changes.
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
