import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { checkCommand, loginCommand } from "./commands.ts";
import type { AnonymousPull, Rule } from "./access.ts";
import { Certificate, type CertificateArgs } from "./certificate/certificate.ts";
import { Credentials, type User } from "./credentials.ts";
import { authorityOf, namesOf, renderRecords } from "./endpoint.ts";
import type { DockerHost, HostMachine } from "./hosts/dockerHost.ts";
import { Registry } from "./registry/registry.ts";
import type { Outputs } from "./outputs.ts";
import { ReverseProxy } from "./proxy/reverseProxy.ts";
import type { ProxyLimits } from "./proxy/nginx/nginxConf.ts";

export interface PrivateRegistryArgs {
  /** The machine that runs the containers. */
  readonly host: DockerHost;
  /** The DNS name or IPv4 address that clients type. Default: the host's own address. A change renews the certificate. */
  readonly hostname?: string | undefined;
  /** The TCP port that clients type, 1 to 65535. A change replaces the proxy container. */
  readonly port: number;
  /** Image references, each with an exact version or a digest. A change replaces the container of that image. */
  readonly images: { readonly registry: string; readonly proxy: string };
  /** Who may use the registry; at least one. A change goes live by a reload. */
  readonly users: readonly User[];
  /** Who may use which repositories, beyond roles. A change goes live by a reload. */
  readonly rules: readonly Rule[];
  /** Pulling without a password. Default: nowhere. A change goes live by a reload; one of its port replaces the proxy. */
  readonly anonymous?: AnonymousPull | undefined;
  /** Whether an admin may delete manifests and blobs. A change replaces the registry container. */
  readonly deletion: boolean;
  /** How much a client may ask for. A change goes live by a reload. */
  readonly limits: ProxyLimits;
  /** Which certificate the proxy shows. A change goes live by a reload. */
  readonly certificate: CertificateArgs["source"];
}

/**
 * A registry that nobody reaches directly, and the proxy before it that does TLS and passwords.
 *
 * Nothing here replaces the images that were pushed: they are in the registry's data volume, which outlives all else.
 */
export class PrivateRegistry extends pulumi.ComponentResource {
  readonly outputs: { readonly [K in keyof Outputs]-?: pulumi.Output<Outputs[K]> };

  constructor(name: string, args: PrivateRegistryArgs, opts?: pulumi.ComponentResourceOptions) {
    super(
      "privateregistry:index:PrivateRegistry",
      name,
      {},
      { ...opts, providers: [args.host.provider], transformations: [labelled(name), boundTo(args.host.machine)] },
    );

    const { address, ipv6Address, login } = args.host;
    const hostname = args.hostname === undefined ? address : pulumi.output(args.hostname);

    const credentials = new Credentials(`${name}-credentials`, { users: args.users }, { parent: this });

    const certificate = new Certificate(
      `${name}-certificate`,
      { source: args.certificate, hosts: hostname.apply(namesOf) },
      { parent: this },
    );

    // Internal: no way out to the world, no way in from it, and not from other containers of the machine either.
    const network = new docker.Network(`${name}-network`, { name, internal: true }, { parent: this });

    const registry = new Registry(
      `${name}-registry`,
      {
        image: args.images.registry,
        network: network.name,
        dataPath: args.host.dataPath,
        dataVolumeName: `${name}-data`,
        deletion: args.deletion,
      },
      { parent: this },
    );

    new ReverseProxy(
      `${name}-proxy`,
      {
        image: args.images.proxy,
        hostname,
        ipv6: ipv6Address !== undefined,
        port: args.port,
        network: network.name,
        data: registry.data,
        anonymous: args.anonymous,
        registry: registry.address,
        users: args.users,
        hashes: credentials.hashes,
        rules: args.rules,
        limits: args.limits,
        certificateChain: certificate.chain,
        privateKey: certificate.privateKey,
      },
      { parent: this },
    );

    const endpointAt = (port: number) => hostname.apply((host) => authorityOf(host, port));
    const endpoint = endpointAt(args.port);
    const url = pulumi.interpolate`https://${endpoint}`;
    const { caCertificate, caFingerprint } = certificate;
    const [first] = args.users;
    this.outputs = {
      endpoint,
      url,
      anonymousEndpoint: args.anonymous === undefined ? pulumi.output("") : endpointAt(args.anonymous.port),
      usernames: pulumi.output(args.users.map((user) => user.name)),
      passwords: credentials.passwords,
      caCertificate,
      caFingerprint,
      loginCommand: endpoint.apply((at) => loginCommand(first?.name ?? "", at)),
      checkCommand: pulumi
        .all([caCertificate, url])
        .apply(([ca, at]) => checkCommand(first?.name ?? "", at, ca !== "")),
      address,
      records: pulumi.all([hostname, address, ipv6Address ?? ""]).apply((all) => renderRecords(...all)),
      login: login === undefined ? pulumi.output(null) : pulumi.secret(login),
    };

    this.registerOutputs({ endpoint });
  }
}

/** The Docker label by which `make logs` and the clean-up after a run cut short know what belongs to a stack. */
export const ownerLabel = "private-registry.stack";

/** Labels what Docker can list by label. A volume isn't: one that outlived its stack would have to match. */
function labelled(name: string): pulumi.ResourceTransformation {
  const labels = [{ label: ownerLabel, value: name }];
  return ({ type, props, opts }) =>
    type === "docker:index/container:Container" || type === "docker:index/network:Network"
      ? { props: { ...(props as object), labels }, opts }
      : undefined;
}

/**
 * For a machine that is made and unmade with the stack: what is on it knows which one it is on, so that another machine
 * at the same address gets it anew. What was on the one before is forgotten first, or it would be taken for the new one
 * of the same name, and without a word to that machine, which may be dead.
 */
function boundTo(machine: HostMachine | undefined): pulumi.ResourceTransformation {
  return ({ type, props, opts }) => {
    if (machine === undefined || !type.startsWith("docker:")) return undefined;
    const { labels = [] } = props as { labels?: object[] };
    const bound =
      type === "docker:index/remoteImage:RemoteImage"
        ? { triggers: { machine: machine.id } }
        : { labels: [...labels, { label: "private-registry.machine", value: machine.id }] };
    return {
      props: { ...(props as object), ...bound },
      opts: { ...opts, deletedWith: machine.prepared, deleteBeforeReplace: true },
    };
  };
}
