import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { Care, type CareSettings } from "./care/care.ts";
import { Acme, type AcmeSource } from "./certificate/acme/acme.ts";
import type { ChallengeAccess } from "./certificate/acme/challenge.ts";
import type { DockerHost } from "./hosts/dockerHost.ts";
import { ReverseProxy, type ReverseProxyArgs } from "./proxy/reverseProxy.ts";
import { Registry } from "./registry/registry.ts";
import { filesystem } from "./registry/storage/filesystem.ts";

export interface NodeArgs extends Omit<
  ReverseProxyArgs,
  "image" | "ipv6" | "network" | "blobs" | "registries" | "isRenewed" | "isWatched"
> {
  /** The machine that runs the containers. */
  readonly host: DockerHost;
  /** Image references, each with an exact version or a digest. A change replaces the container of that image. */
  readonly images: { readonly registry: string; readonly proxy: string; readonly lego: string; readonly node: string };
  /** Whether an admin may delete manifests and blobs. A change replaces the registry's containers. */
  readonly deletion: boolean;
  /** How long a replaced registry container may finish its requests, in seconds. A change replaces the containers. */
  readonly drainTimeout: number;
  /** An authority that issues the certificate. Default: `certificate` has the texts of one that is not renewed. */
  readonly acme?: AcmeSource | undefined;
  /** Lets lego answer the authority's challenges by DNS. Default: it answers through the proxy. */
  readonly challengeAccess?: ChallengeAccess | undefined;
  /** How the data is looked after. Default: it is not. */
  readonly care?: CareSettings | undefined;
}

/** A registry and its proxy on one host, with the network between them. */
export class Node extends pulumi.ComponentResource {
  constructor(
    name: string,
    args: NodeArgs,
    opts: pulumi.ComponentResourceOptions & { readonly parent: pulumi.Resource },
  ) {
    super("privateregistry:index:Node", name, {}, opts);
    // In stacks of earlier versions these resources are direct children of the parent.
    const child = { parent: this, aliases: [{ parent: opts.parent }] };

    // Internal: no connection to or from the outside, nor from other containers on the machine.
    const network = new docker.Network(`${name}-network`, { name, internal: true }, child);

    const registry = new Registry(
      `${name}-registry`,
      {
        image: args.images.registry,
        network: network.name,
        storage: filesystem({ path: args.host.dataPath, volumeName: `${name}-data` }),
        deletion: args.deletion,
        drainTimeout: args.drainTimeout,
      },
      child,
    );

    const proxy = new ReverseProxy(
      `${name}-proxy`,
      {
        ...args,
        image: args.images.proxy,
        ipv6: args.host.ipv6Address !== undefined,
        network: network.name,
        blobs: registry.blobs,
        registries: registry.addresses,
        isRenewed: args.acme !== undefined,
        isWatched: args.care !== undefined,
      },
      child,
    );

    if (args.acme !== undefined) {
      const { acme: source, hostname, images, challengeAccess } = args;
      const { volumes, live } = proxy;
      const { accountsPath } = args.host;
      const acme = { source, hostname, images, volumes, live, accountsPath, challengeAccess };
      new Acme(`${name}-acme`, acme, { parent: this });
    }

    if (args.care !== undefined) {
      const { care: settings, images } = args;
      const { blobs: data } = registry;
      const care = { settings, image: images.node, network: network.name, data, live: proxy.live };
      new Care(`${name}-care`, care, { parent: this });
    }

    this.registerOutputs({});
  }
}
