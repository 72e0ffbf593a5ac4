import * as pulumi from "@pulumi/pulumi";

import type { Rule } from "./access.ts";
import { Certificate, type CertificateArgs } from "./certificate/certificate.ts";
import { renderTrustBundle } from "./certificate/trustBundle.ts";
import { checkCommand, loginCommand } from "./commands.ts";
import { Credentials, type User } from "./credentials.ts";
import { authorityOf, type Endpoint, namesOf, renderRecords } from "./endpoint.ts";
import { boundTo, type DockerHost } from "./hosts/dockerHost.ts";
import { labelled } from "./labels.ts";
import { Node, type NodeArgs } from "./node.ts";
import type { Outputs } from "./outputs.ts";
import type { ProxyLimits } from "./proxy/nginx/nginxConf.ts";

export interface PrivateRegistryArgs {
  /** The machine that runs the containers. */
  readonly host: DockerHost;
  /** The DNS name or IPv4 address that clients type. Default: the host's address. A change renews the certificate. */
  readonly hostname?: string | undefined;
  /**
   * Where clients reach the registry: an endpoint for users, and optional others. A change of a port replaces the
   * proxy.
   */
  readonly endpoints: readonly Endpoint[];
  /** Image references, each with an exact version or a digest. A change replaces the container of that image. */
  readonly images: NodeArgs["images"];
  /** Who may use the registry; at least one. A change goes live by a reload. */
  readonly users: readonly User[];
  /** Restrictions on who may use which repositories. A change goes live by a reload. */
  readonly rules: readonly Rule[];
  /** The prefixes of the repositories that anybody may pull. A change goes live by a reload. */
  readonly openPrefixes: readonly string[];
  /** Whether an admin may delete manifests and blobs. A change replaces the registry's containers. */
  readonly deletion: boolean;
  /** How long a replaced registry container may finish its requests, in seconds. A change replaces the containers. */
  readonly drainTimeout: number;
  /** Limits on requests of clients. A change goes live by a reload. */
  readonly limits: ProxyLimits;
  /** How the data is looked after. Default: it is not. A change cuts nothing. */
  readonly care?: NodeArgs["care"];
  /** The source of the proxy's certificate. A change goes live by a reload. */
  readonly certificate: CertificateArgs["source"];
  /** Lets the certificate's authority be answered by DNS. Default: it is answered through the proxy. */
  readonly challengeAccess?: NodeArgs["challengeAccess"];
}

/**
 * A registry that clients can't reach directly, and a proxy in front of it for TLS and passwords.
 *
 * No change here affects the pushed images: they are in the registry's data volume, which outlives everything else.
 */
export class PrivateRegistry extends pulumi.ComponentResource {
  /** The outputs of the stack, as Pulumi outputs. */
  readonly outputs: { readonly [K in keyof Outputs]-?: pulumi.Output<Outputs[K]> };

  constructor(name: string, args: PrivateRegistryArgs, opts?: pulumi.ComponentResourceOptions) {
    super(
      "privateregistry:index:PrivateRegistry",
      name,
      {},
      { ...opts, providers: [args.host.provider], transformations: [labelled(name), boundTo(args.host.machine)] },
    );

    const { host, images, endpoints, openPrefixes, users, rules, deletion, drainTimeout, limits, care } = args;
    const { address, ipv6Address, login } = host;
    const hostname = args.hostname === undefined ? address : pulumi.output(args.hostname);

    const credentials = new Credentials(`${name}-credentials`, { users }, { parent: this });

    const certificate = new Certificate(
      `${name}-certificate`,
      { source: args.certificate, hosts: hostname.apply(namesOf) },
      { parent: this },
    );

    new Node(
      name,
      {
        ...{ host, images, deletion, drainTimeout, hostname, endpoints, openPrefixes, users, rules, limits, care },
        hashes: credentials.hashes,
        certificate: certificate.texts,
        acme: args.certificate.mode === "acme" ? args.certificate : undefined,
        challengeAccess: args.challengeAccess,
      },
      { parent: this },
    );

    const authorityAt = (which: Endpoint["name"]) => {
      const { port } = endpoints.find((each) => each.name === which) ?? {};
      return port === undefined ? pulumi.output("") : hostname.apply((at) => authorityOf(at, port));
    };
    const endpoint = authorityAt("registry");
    const url = pulumi.interpolate`https://${endpoint}`;
    const { caCertificate, caFingerprint } = certificate;
    const [first] = users;
    this.outputs = {
      endpoint,
      url,
      anonymousEndpoint: authorityAt("anonymous"),
      usernames: pulumi.output(users.map((user) => user.name)),
      passwords: credentials.passwords,
      caCertificate,
      caFingerprint,
      trustBundle: pulumi
        .all([endpoint, caCertificate, caFingerprint])
        .apply(([at, ca, fingerprint]) =>
          renderTrustBundle({ endpoint: at, caCertificate: ca, caFingerprint: fingerprint }),
        ),
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
