import type { Disks } from "./disks";
import type { Dns } from "./dns";
import type { Machines } from "./machines";
import type { Network } from "./network";

/** What the clouds' resources are made of. */
export interface World {
  readonly network: Network;
  readonly machines: Machines;
  readonly disks: Disks;
  readonly dns: Dns;
}
