import { readFileSync } from "node:fs";
import { join } from "node:path";

import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import type { Rule } from "../access.ts";
import { type CertificateTexts, type CertificateVolumes, servedFolders } from "../certificate/served.ts";
import type { User } from "../credentials.ts";
import { type Endpoint, publishedOn } from "../endpoint.ts";
import { hardened } from "../hardening.ts";
import { inRole } from "../labels.ts";
import { OneShot } from "../oneShot.ts";
import type { BlobFiles } from "../registry/storage/storage.ts";
import { dataGroup } from "../registry/user.ts";
import { dataFolder, internalPorts, renderConfiguration, statusPort } from "./configuration.ts";
import { configFiles } from "./nginx/files.ts";
import type { ProxyLimits } from "./nginx/nginxConf.ts";
import { proxyUser as user } from "./user.ts";

export interface ReverseProxyArgs {
  /** The image reference, with an exact version or a digest. A change replaces the container. */
  readonly image: string;
  /** What clients type. With a loopback name the ports are published on loopback only, else on all addresses. */
  readonly hostname: pulumi.Input<string>;
  /** Whether clients also connect over IPv6. A change replaces the container. */
  readonly ipv6: boolean;
  /** Where clients reach the proxy; at most one of each name. A change of a port replaces the container. */
  readonly endpoints: readonly Endpoint[];
  /** The private network of the registry. */
  readonly network: pulumi.Input<string>;
  /** The registry's blob files, which the proxy serves. A change replaces the container. */
  readonly blobs: BlobFiles;
  /** The registry's containers on that network: `host:port`. A change of these and of all below goes live by a reload. */
  readonly registries: pulumi.Input<string>[];
  /** Who may use the registry. */
  readonly users: readonly User[];
  /** Secret: the bcrypt hash of each user's password, by name. */
  readonly hashes: pulumi.Input<Record<string, string>>;
  /** Restrictions on who may use which repositories. */
  readonly rules: readonly Rule[];
  /** The prefixes of the repositories that anybody may pull at an endpoint for anybody. */
  readonly openPrefixes: readonly string[];
  readonly limits: ProxyLimits;
  /** Secret: the certificate or, if it is renewed, what is served until there is one. */
  readonly certificate: pulumi.Input<CertificateTexts>;
  /** Whether the certificate is in its volume, where something renews it. */
  readonly isRenewed: boolean;
  /** Whether a keeper watches the disk, and says when it is full. */
  readonly isWatched: boolean;
}

const configFolder = "/etc/proxy";

/** On the first start there is no configuration yet: the loader needs a running container. */
const start = `trap 'exit 0' TERM QUIT
until [ -e ${configFolder}/current/${configFiles.conf} ]; do sleep 0.1; done
exec nginx -c ${configFolder}/current/${configFiles.conf} -g 'daemon off;'`;

const loadScript = {
  path: "/load.sh",
  content: readFileSync(join(import.meta.dirname, "loadConfiguration.sh"), "utf8"),
};

/**
 * The proxy container and its configuration, which is checked and then goes live by a reload. Users, passwords,
 * certificate and settings change without replacing the container; ports and image replace it.
 */
export class ReverseProxy extends pulumi.ComponentResource {
  /** They are mounted always, so that a change to a certificate that is renewed replaces no container. */
  readonly volumes: CertificateVolumes;
  /** The loader once the proxy serves its configuration. */
  readonly live: pulumi.Output<docker.Container>;

  constructor(name: string, args: ReverseProxyArgs, opts?: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:ReverseProxy", name, {}, opts);
    const parent = { parent: this };

    const image = new docker.RemoteImage(`${name}-image`, { name: args.image, keepLocally: true }, parent);
    const frontNetwork = new docker.Network(`${name}-network`, { name }, parent);
    const createVolume = (volume: string) => new docker.Volume(volume, { name: volume }, parent).name;
    const config = createVolume(`${name}-config`);
    const certificate = { volumeName: createVolume(`${name}-certificate`), containerPath: servedFolders.certificate };
    const challenges = { volumeName: createVolume(`${name}-challenges`), containerPath: servedFolders.challenges };
    this.volumes = { certificate, challenges };
    const configVolume = { volumeName: config, containerPath: configFolder, readOnly: false };

    const owned = new OneShot(
      `${name}-config-owner`,
      {
        failure: "the proxy's volumes could not be given to the proxy's user",
        image: image.imageId,
        user: "0:0",
        capabilities: ["CAP_CHOWN"],
        command: ["-c", `chown ${user} ${configFolder} ${servedFolders.certificate} ${servedFolders.challenges}`],
        volumes: [configVolume, certificate, challenges],
      },
      parent,
    );

    const ip = pulumi.output(args.hostname).apply(publishedOn);
    const publish = ({ name: endpoint, port: external }: Endpoint) => [
      { internal: internalPorts[endpoint].ipv4, external, ip },
      ...(args.ipv6 ? [{ internal: internalPorts[endpoint].ipv6, external, ip: "::" }] : []),
    ];
    const container = new docker.Container(
      `${name}-container`,
      {
        // The proxy needs some tens of MiB; the page cache of blobs counts towards the same limit.
        ...hardened({ memory: 4096, processes: 256 }),
        ...inRole("proxy"),
        name,
        image: image.imageId,
        user,
        readOnly: true,
        tmpfs: { "/tmp": "mode=1777,size=64m" },
        entrypoints: ["/bin/sh"],
        command: ["-c", start],
        groupAdds: [dataGroup],
        volumes: [
          { ...configVolume, readOnly: true },
          { ...args.blobs, containerPath: dataFolder, readOnly: true },
          { ...certificate, readOnly: true },
          { ...challenges, readOnly: true },
        ],
        networkMode: frontNetwork.name,
        networksAdvanced: [{ name: args.network }],
        ports: args.endpoints.flatMap(publish).sort((a, b) => a.internal - b.internal),
        restart: "unless-stopped",
        healthcheck: {
          tests: ["CMD", "wget", "-q", "-O", "/dev/null", `http://127.0.0.1:${String(statusPort)}/revision`],
          interval: "5s",
          timeout: "5s",
          startPeriod: "30s",
          retries: 3,
        },
        // nginx stops at once on TERM; on QUIT it lets running pushes and pulls finish.
        stopSignal: "SIGQUIT",
        destroyGraceSeconds: 30,
      },
      // Docker can't change the health check of a container, and two containers can't have the same name.
      {
        parent: this,
        dependsOn: owned.succeeded,
        replaceOnChanges: ["healthcheck"],
        deleteBeforeReplace: true,
      },
    );

    this.live = new OneShot(
      `${name}-loader`,
      {
        failure: "the proxy's new configuration did not go live",
        image: image.imageId,
        user,
        command: [loadScript.path],
        volumes: [configVolume, certificate],
        uploads: this.renderFiles(args),
        joins: pulumi.interpolate`container:${container.id}`,
      },
      parent,
    ).succeeded;

    this.registerOutputs({});
  }

  /** The configuration files for the loader. */
  private renderFiles(args: ReverseProxyArgs) {
    return pulumi
      .all([args.hostname, pulumi.all(args.registries), args.certificate, args.hashes])
      .apply(([serverName, registries, certificate, hashes]) => {
        const files = renderConfiguration({ ...args, serverName, registries, certificate, hashes });
        return [
          { file: loadScript.path, content: loadScript.content },
          ...Object.entries(files).map(([file, content]) => ({ file: `/incoming/${file}`, content })),
        ];
      });
  }
}
