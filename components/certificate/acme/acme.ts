import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";

import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { Job } from "../../job.ts";
import { Program } from "../../program.ts";
import { proxyUser } from "../../proxy/user.ts";
import type { CertificateVolumes } from "../served.ts";
import { certificateNames, type Challenge, type ChallengeAccess } from "./challenge.ts";
import { type RenewalSettings, stateFolder } from "./renewal.ts";

/** A certificate that an authority issues and renews by ACME, RFC 8555. */
export interface AcmeSource extends Omit<RenewalSettings, "names" | "kid" | "dns"> {
  readonly mode: "acme";
  /** More names than what clients type; `*.example.com` only if the challenge is by DNS. */
  readonly names: readonly string[];
  readonly challenge: Challenge;
  /** The account that the authority knows already. Default: none; the authority wants none. */
  readonly eab?: { readonly kid: string; readonly hmac: pulumi.Output<string> } | undefined;
}

export interface AcmeArgs {
  readonly source: AcmeSource;
  /** Lets lego answer challenges by DNS. Default: it answers through the proxy. */
  readonly challengeAccess?: ChallengeAccess | undefined;
  /** What clients type. */
  readonly hostname: pulumi.Input<string>;
  /** Image references, each with an exact version or a digest. A change replaces the container of that image. */
  readonly images: { readonly lego: string; readonly node: string };
  /** Where the proxy takes the certificate and the answers to challenges from. */
  readonly volumes: CertificateVolumes;
  /** Whatever makes the proxy live: before that the first challenge would fail. */
  readonly live: pulumi.Input<pulumi.Resource>;
  /** The absolute path of the folder for accounts and certificates on the host. Default: a volume. */
  readonly accountsPath: string | undefined;
}

const settingsFolder = "/etc/acme";
/** Below the folder of the settings: a file for each variable that lego reads, so that no container has them. */
const variablesFolder = "variables";

/** What the certifier runs, by its path below the folder of the settings. The paths are as in this project. */
const programFiles = Object.fromEntries(
  ["../../digest.ts", "../chain.ts", "../served.ts", "../x509.ts", "certifier.ts", "renewal.ts", "obtain.sh"].map(
    (file) => [join("certificate/acme", file), readFileSync(join(import.meta.dirname, file), "utf8")],
  ),
);

/**
 * Obtains a certificate from an authority and renews it, without an `up`: lego, which talks to the authority, and the
 * certifier, which has no network, checks what lego obtained and hands it to the proxy. No change here cuts a transfer.
 */
export class Acme extends pulumi.ComponentResource {
  constructor(name: string, args: AcmeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:Acme", name, {}, opts);
    const parent = { parent: this };
    const { source, hostname, images, volumes, challengeAccess } = args;

    const image = (what: "lego" | "node") =>
      new docker.RemoteImage(`${name}-${what}-image`, { name: images[what], keepLocally: true }, parent).imageId;
    const [legoImage, node] = [image("lego"), image("node")];
    const network = new docker.Network(`${name}-network`, { name }, parent);

    // A new certificate for the same names counts towards the authority's limits, so they outlive the stack.
    const createState = () =>
      new docker.Volume(`${name}-state`, { name: `${name}-state` }, { parent: this, retainOnDelete: true }).name;
    const stateVolume = {
      ...(args.accountsPath === undefined ? { volumeName: createState() } : { hostPath: args.accountsPath }),
      containerPath: stateFolder,
    };
    const environment = {
      ...challengeAccess,
      // A wildcard record that leads elsewhere would have lego write there.
      ...(challengeAccess && { LEGO_DISABLE_CNAME_SUPPORT: "true" }),
      ...(source.eab && { LEGO_EAB_HMAC: source.eab.hmac }),
    };
    const { folder, volume, placed } = new Program(
      name,
      {
        failure: "the settings of the certificate could not be put into their volume",
        image: node,
        user: proxyUser,
        at: settingsFolder,
        files: pulumi.all([hostname, environment]).apply(([first, variables]) => renderFiles(first, source, variables)),
        owned: [stateVolume],
      },
      parent,
    );

    const lego = new Job(
      `${name}-lego`,
      {
        role: "lego",
        image: legoImage,
        user: proxyUser,
        command: ["/bin/sh", pulumi.interpolate`${folder}/certificate/acme/obtain.sh`],
        envs: [
          pulumi.interpolate`SETTINGS=${folder}`,
          ...(source.authority === undefined ? [] : [pulumi.interpolate`LEGO_CA_CERTIFICATES=${folder}/authority.pem`]),
        ],
        volumes: [volume, stateVolume, volumes.challenges],
        network: network.name,
        // A try takes some minutes at most.
        health: "find /tmp/alive -mmin -15 | grep -q . || { echo 'it has not looked for 15 minutes'; exit 1; }",
        limits: { memory: 256, processes: 256 },
      },
      { parent: this, dependsOn: [placed, args.live] },
    );
    new Job(
      `${name}-certifier`,
      {
        role: "certifier",
        image: node,
        user: proxyUser,
        command: ["node", pulumi.interpolate`${folder}/certificate/acme/certifier.ts`, folder],
        volumes: [volume, stateVolume, volumes.certificate],
        network: "none",
        health: "if [ -e /tmp/unwell ]; then cat /tmp/unwell; exit 1; fi",
        limits: { memory: 256, processes: 256 },
      },
      // The lego of the settings before could not do what this one asks for.
      { parent: this, dependsOn: [placed, args.live, lego] },
    );

    this.registerOutputs({});
  }
}

/** Let's Encrypt signs addresses for a few days only. */
function defaultProfile(hostname: string): string | undefined {
  return isIP(hostname) === 0 ? undefined : "shortlived";
}

/** The files of the certifier, by their path below the folder of the settings. */
function renderFiles(
  hostname: string,
  { names, challenge, server, email, profile = defaultProfile(hostname), keyType, authority, eab }: AcmeSource,
  variables: Readonly<Record<string, string>>,
): Record<string, string> {
  const settings: RenewalSettings = {
    names: certificateNames(hostname, names),
    ...{ server, email, profile, keyType, authority },
    kid: eab?.kid,
    dns: challenge.type === "dns-01" ? { provider: challenge.provider, resolvers: challenge.resolvers } : undefined,
  };
  return {
    ...programFiles,
    "package.json": JSON.stringify({ type: "module" }),
    "settings.json": JSON.stringify(settings),
    ...(authority === undefined ? {} : { "authority.pem": authority }),
    ...Object.fromEntries(Object.entries(variables).map(([name, value]) => [join(variablesFolder, name), value])),
  };
}
