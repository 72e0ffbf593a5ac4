import * as pulumi from "@pulumi/pulumi";

import { clouds, type CloudHosts, type CloudTarget, dnsProviders, type DnsRecords } from "./clouds/index.ts";
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
  return new PrivateRegistry(name, { ...settings, host, endpoints, openPrefixes: anonymous?.prefixes ?? [] });
}

function endpointsOf({ port, anonymous, certificate }: Settings): Endpoint[] {
  return [
    { name: "registry", audience: "users", port },
    ...(anonymous === undefined ? [] : [{ name: "anonymous", audience: "anybody", port: anonymous.port } as const]),
    ...(certificate.mode === "acme"
      ? [{ name: "challenges", audience: "challenges", port: certificate.httpPort } as const]
      : []),
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
