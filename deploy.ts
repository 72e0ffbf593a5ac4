import * as pulumi from "@pulumi/pulumi";

import type { DnsRecordArgs } from "./components/dnsRecord.ts";
import type { DockerHost } from "./components/hosts/dockerHost.ts";
import { LocalDockerHost } from "./components/hosts/local.ts";
import { SshDockerHost } from "./components/hosts/ssh.ts";
import { PrivateRegistry } from "./components/privateRegistry.ts";
import type { Settings } from "./settings/index.ts";
import type { DnsSettings } from "./settings/dns.ts";
import type { HostSettings } from "./settings/host.ts";

/**
 * Puts the registry that the settings describe on the host that they name, and points its name there. Containers are
 * named after the stack.
 */
export async function deploy(settings: Settings): Promise<PrivateRegistry> {
  const name = `${pulumi.getProject()}-${pulumi.getStack()}`;
  const { hostname, dns, port, anonymous } = settings;
  const host = await createHost(`${name}-host`, settings.host, anonymous ? [port, anonymous.port] : [port]);
  if (dns !== undefined && hostname !== undefined) {
    const { address: ipv4Address, ipv6Address } = host;
    await createRecord(`${name}-dns`, dns, { name: hostname, zone: dns.zone, ttl: dns.ttl, ipv4Address, ipv6Address });
  }
  return new PrivateRegistry(name, { ...settings, host });
}

// The SDK of a cloud is loaded, and need be there, only where it is used.

async function createHost(name: string, host: HostSettings, ports: readonly number[]): Promise<DockerHost> {
  switch (host.target) {
    case "local":
      return new LocalDockerHost(name, host);
    case "ssh":
      return new SshDockerHost(name, host);
    case "digitalocean": {
      const { DigitalOceanDockerHost } = await import("./clouds/digitalOcean/host.ts");
      return new DigitalOceanDockerHost(name, { ...host, ports });
    }
    case "aws": {
      const { AwsDockerHost } = await import("./clouds/aws/host.ts");
      return new AwsDockerHost(name, { ...host, ports });
    }
    default:
      return host satisfies never;
  }
}

async function createRecord(name: string, dns: DnsSettings, record: DnsRecordArgs): Promise<pulumi.ComponentResource> {
  switch (dns.provider) {
    case "route53": {
      const { Route53DnsRecord } = await import("./clouds/aws/record.ts");
      return new Route53DnsRecord(name, record);
    }
    case "digitalocean": {
      const { DigitalOceanDnsRecord } = await import("./clouds/digitalOcean/record.ts");
      return new DigitalOceanDnsRecord(name, record);
    }
    case "dnsimple": {
      const { DnsimpleDnsRecord } = await import("./clouds/dnsimple/record.ts");
      return new DnsimpleDnsRecord(name, { ...record, ...dns });
    }
    default:
      return dns satisfies never;
  }
}
