import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { docker } from "../support/run.ts";
import { machineImage } from "./machineImage.ts";
import { metadataAddress, type Network } from "./network.ts";

/** The metadata service's answers to a machine. */
export interface Metadata {
  /** The path of its user data. */
  readonly path: string;
  readonly userData: string;
  /** Only at AWS. */
  readonly imds?: { readonly tokens: string; readonly hopLimit: number } | undefined;
}

/** The metadata service of a cloud: a separate server beside the machines, so that a machine's filters apply to it. */
export class MetadataService {
  private readonly machines: Record<string, Metadata> = {};
  private readonly folder: string;
  private running: Promise<void> | undefined;
  private readonly network: Network;
  private readonly label: string;

  constructor(folder: string, network: Network, label: string) {
    this.network = network;
    this.label = label;
    this.folder = join(folder, "metadata");
  }

  /** Sets the answers for the machine at an address. The service starts with the first one. */
  async tell(address: string, metadata: Metadata): Promise<void> {
    this.machines[address] = metadata;
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(join(this.folder, "machines.json"), JSON.stringify(this.machines));
    this.running ??= this.start();
    await this.running;
  }

  private async start(): Promise<void> {
    copyFileSync("test/testCloud/metadata.py", join(this.folder, "metadata.py"));
    const container = `${this.network.name}-metadata`;
    await docker(
      ...["run", "--detach", "--init", "--name", container, "--label", this.label],
      ...["--network", this.network.name, "--ip", this.network.allocate(), "--cap-add", "NET_ADMIN"],
      ...["--volume", `${this.folder}:/metadata:ro`, await machineImage()],
      ...["sh", "-c", `ip address add ${metadataAddress}/32 dev eth0 && exec python3 /metadata/metadata.py`],
    );
    const isThere = `curl --silent --output /dev/null http://${metadataAddress}`;
    await docker("exec", container, "sh", "-c", `until ${isThere}; do sleep 0.1; done`);
  }
}
