import type { Cloud } from "../cloud.ts";
import type { DigitalOceanDockerHostArgs } from "./host.ts";

const volume = "digitalocean:index/volume:Volume";
const sshKey = "digitalocean:index/sshKey:SshKey";

export const digitalOcean: Cloud<DigitalOceanDockerHostArgs> = {
  package: "digitalocean",
  ask: async (name, args) => (await import("./ask.ts")).askDigitalOcean(name, args),
  createHost: async (name, args) => new (await import("./host.ts")).DigitalOceanDockerHost(name, args),
  dataVolume: { type: volume, price: 0.1 },
  // Links between two resources.
  unique: /(Attachment|Assignment)$/,
  /*
   * If a volume was being resized, the state gets the new size: the plugin can't refresh a volume that is larger than
   * in the state, as it would have to shrink it. If an SSH key was being created, the client gets a new one: the
   * account may already have the old one, and accepts no public key twice.
   */
  settle: (resource, pending) => {
    const isGrowing = ({ type, resource: { urn } }: (typeof pending)[number]) =>
      type === "updating" && urn === resource.urn && resource.type === volume && !resource.delete;
    const { inputs } = pending.find(isGrowing)?.resource ?? {};
    const isKeyLost = pending.some((each) => each.type === "creating" && each.resource.type === sshKey);
    return {
      ...resource,
      ...(inputs && { inputs }),
      ...(isKeyLost && resource.urn.endsWith("-keys-client") && { taint: true }),
    };
  },
};
