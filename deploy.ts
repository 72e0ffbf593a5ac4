import * as pulumi from "@pulumi/pulumi";

import {
  clouds,
  type CloudHosts,
  type CloudTarget,
  dnsProviders,
  type DnsRecords,
  grantChallenges,
} from "./clouds/index.ts";
import { certificateNames } from "./components/certificate/acme/challenge.ts";
import { challengePortOf } from "./components/certificate/certificate.ts";
import { type Endpoint, type OpenPorts, openPortsOf } from "./components/endpoint.ts";
import type { DockerHost } from "./components/hosts/dockerHost.ts";
import { LocalDockerHost } from "./components/hosts/local.ts";
import { SshDockerHost } from "./components/hosts/ssh.ts";
import { PrivateRegistry } from "./components/privateRegistry.ts";
import type { HostSettings } from "./settings/host.ts";
import type { Settings } from "./settings/index.ts";

/**
 * Deploys the registry that the settings describe to the host that they name, and points its name there. Containers are
 * named after the stack.
 */
export async function deploy(settings: Settings): Promise<PrivateRegistry> {
  const name = `${pulumi.getProject()}-${pulumi.getStack()}`;
  const { hostname, dns, anonymous } = settings;
  const endpoints = endpointsOf(settings);
  const host = await createHost(`${name}-host`, settings.host, openPortsOf(endpoints));
  if (dns !== undefined && hostname !== undefined) {
    const { address: ipv4Address, ipv6Address } = host;
    await createRecord(`${name}-dns`, { ...dns, name: hostname, ipv4Address, ipv6Address });
  }
  const challengeAccess = await createChallengeAccess(`${name}-challenges`, settings, host);
  const openPrefixes = anonymous?.prefixes ?? [];
  return new PrivateRegistry(name, { ...settings, host, endpoints, openPrefixes, challengeAccess });
}

/** Returns what lego needs to answer challenges by DNS; undefined if it answers none there. */
async function createChallengeAccess(name: string, { hostname, certificate }: Settings, host: DockerHost) {
  if (certificate.mode !== "acme" || certificate.challenge.type !== "dns-01") return undefined;
  const names = pulumi.output(hostname ?? host.address).apply((first) => certificateNames(first, certificate.names));
  return grantChallenges(name, certificate.challenge, names);
}

function endpointsOf({ port, anonymous, certificate }: Settings): Endpoint[] {
  const challengePort = challengePortOf(certificate);
  return [
    { name: "registry", audience: "users", port },
    ...(anonymous === undefined ? [] : [{ name: "anonymous", audience: "anybody", port: anonymous.port } as const]),
    ...(challengePort === undefined
      ? []
      : [{ name: "challenges", audience: "challenges", port: challengePort } as const]),
  ];
}

async function createHost(name: string, host: HostSettings, ports: OpenPorts): Promise<DockerHost> {
  switch (host.target) {
    case "local":
      return new LocalDockerHost(name, host);
    case "ssh":
      return new SshDockerHost(name, host);
    default:
      return createCloudHost(name, { ...host, ...ports });
  }
}

function createCloudHost<T extends CloudTarget>(name: string, host: { readonly target: T } & CloudHosts[T]) {
  return clouds[host.target].createHost(name, host);
}

function createRecord<P extends keyof DnsRecords>(name: string, record: { readonly provider: P } & DnsRecords[P]) {
  return dnsProviders[record.provider](name, record);
}
