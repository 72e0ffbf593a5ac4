import type { Disks } from "./disks.ts";
import type { Dns } from "./dns.ts";
import type { Machines } from "./machines.ts";
import type { Network } from "./network.ts";

/** The building blocks of the clouds' resources. */
export interface World {
  readonly network: Network;
  readonly machines: Machines;
  readonly disks: Disks;
  readonly dns: Dns;
}
