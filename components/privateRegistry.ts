import { isIP } from "node:net";

import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { shellQuoted } from "../shell.ts";
import type { AnonymousPull, Rule } from "./access.ts";
import { Certificate, type CertificateArgs } from "./certificate.ts";
import { Credentials, type User } from "./credentials.ts";
import type { DockerHost, HostMachine, MachineLogin } from "./hosts/dockerHost.ts";
import { Registry } from "./registry.ts";
import { isLoopback, ReverseProxy } from "./reverseProxy.ts";
import type { ProxyLimits } from "./templates/nginxConf.ts";

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
  /** What people type after `docker login`: `host:port`, or `host` alone on port 443. */
  readonly endpoint: pulumi.Output<string>;
  /** The endpoint as a URL: `https://host:port`. */
  readonly url: pulumi.Output<string>;
  /** The same for pulling without a password; it checks none, and takes any. Empty where there is no such endpoint. */
  readonly anonymousEndpoint: pulumi.Output<string>;
  /** The names of the users, in the order of the settings. */
  readonly usernames: pulumi.Output<string[]>;
  /** Secret: the password of each user, by name. */
  readonly passwords: pulumi.Output<Record<string, string>>;
  /** The certificate authority that clients must trust, PEM; empty where their own trust store has it. */
  readonly caCertificate: pulumi.Output<string>;
  /** The SHA-256 fingerprint of that authority, `AB:CD:…`; empty where there is none to trust. */
  readonly caFingerprint: pulumi.Output<string>;
  /** Signs Docker in; asks for the password. */
  readonly loginCommand: pulumi.Output<string>;
  /** Asks the registry whether it is there; asks for the password. Prints 200. */
  readonly checkCommand: pulumi.Output<string>;
  /** The address of the host: an IPv4 address, or a name. */
  readonly address: pulumi.Output<string>;
  /** The DNS records that point the hostname there, `NAME A ADDRESS`; none where people type the address itself. */
  readonly records: pulumi.Output<string[]>;
  /** Secret: how to sign in to the machine by SSH; null where that is the user's own affair. */
  readonly login: pulumi.Output<pulumi.Unwrap<MachineLogin> | null>;

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

    const endpointAt = (port: number) => hostname.apply((host) => (port === 443 ? host : `${host}:${String(port)}`));
    this.endpoint = endpointAt(args.port);
    this.anonymousEndpoint = args.anonymous === undefined ? pulumi.output("") : endpointAt(args.anonymous.port);
    this.url = pulumi.interpolate`https://${this.endpoint}`;
    this.usernames = pulumi.output(args.users.map((user) => user.name));
    this.passwords = credentials.passwords;
    this.caCertificate = certificate.caCertificate;
    this.caFingerprint = certificate.caFingerprint;
    const user = shellQuoted(args.users[0]?.name ?? "");
    this.loginCommand = pulumi.interpolate`docker login -u ${user} ${this.endpoint}`;
    this.checkCommand = pulumi
      .all([this.caCertificate, this.url])
      .apply(
        ([ca, url]) =>
          `curl -I ${ca === "" ? "" : `--cacert <(pulumi stack output caCertificate -s ${pulumi.getStack()}) `}-u ${user} ${url}/v2/`,
      );
    this.address = address;
    this.records = pulumi.all([hostname, address, ipv6Address ?? ""]).apply((all) => renderRecords(...all));
    this.login = login === undefined ? pulumi.output(null) : pulumi.secret(login);

    this.registerOutputs({ endpoint: this.endpoint });
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

/** The records by which a hostname leads to an address. */
function renderRecords(hostname: string, ipv4Address: string, ipv6Address: string): string[] {
  if (isIP(hostname) !== 0 || isLoopback(hostname) || isIP(ipv4Address) !== 4) return [];
  return [`${hostname} A ${ipv4Address}`, ...(ipv6Address === "" ? [] : [`${hostname} AAAA ${ipv6Address}`])];
}

/** All names and addresses of the machine that a client could type for this hostname. */
function namesOf(hostname: string): string[] {
  return isLoopback(hostname) ? [...new Set([hostname, "localhost", "127.0.0.1", "::1"])] : [hostname];
}
