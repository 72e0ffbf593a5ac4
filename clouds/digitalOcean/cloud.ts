import type { Cloud } from "../cloud.ts";
import type { DigitalOceanDockerHostArgs } from "./host.ts";

const volume = "digitalocean:index/volume:Volume";
const sshKey = "digitalocean:index/sshKey:SshKey";

export const digitalOcean: Cloud<DigitalOceanDockerHostArgs> = {
  package: "digitalocean",
  ask: async (name, args) => (await import("./ask.ts")).askDigitalOcean(name, args),
  createHost: async (name, args) => new (await import("./host.ts")).DigitalOceanDockerHost(name, args),
  dataVolume: { type: volume, price: 0.1 },
  // What joins two things.
  unique: /(Attachment|Assignment)$/,
  /*
   * A volume that is larger than the state has it can't be looked at, as the plugin takes it for one that is to shrink:
   * it gets the size that it was to have. An account takes no public key twice, and may have the one that it was given:
   * the client gets another.
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
