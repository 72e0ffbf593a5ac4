import * as pulumi from "@pulumi/pulumi";

import type { DnsRecordArgs } from "./components/dns/dnsRecord";
import type { DockerHost } from "./components/hosts/dockerHost";
import { LocalDockerHost } from "./components/hosts/local";
import { SshDockerHost } from "./components/hosts/ssh";
import { PrivateRegistry } from "./components/privateRegistry";
import type { Settings } from "./settings";
import type { DnsSettings } from "./settings/dns";
import type { HostSettings } from "./settings/host";

/**
 * Puts the registry that the settings describe on the host that they name, and points its name there. Containers are
 * named after the stack.
 */
export function deploy(settings: Settings): PrivateRegistry {
  const name = `${pulumi.getProject()}-${pulumi.getStack()}`;
  const { hostname, dns, port, anonymous } = settings;
  const host = createHost(`${name}-host`, settings.host, anonymous ? [port, anonymous.port] : [port]);
  if (dns !== undefined && hostname !== undefined) {
    const { address: ipv4Address, ipv6Address } = host;
    createRecord(`${name}-dns`, dns, { name: hostname, zone: dns.zone, ttl: dns.ttl, ipv4Address, ipv6Address });
  }
  return new PrivateRegistry(name, { ...settings, host });
}

/* eslint-disable @typescript-eslint/no-require-imports -- the SDK of a cloud is loaded, and need be there, only where it is used */

function createHost(name: string, host: HostSettings, ports: readonly number[]): DockerHost {
  switch (host.target) {
    case "local":
      return new LocalDockerHost(name, host);
    case "ssh":
      return new SshDockerHost(name, host);
    case "digitalocean": {
      const { DigitalOceanDockerHost } =
        require("./components/hosts/digitalOcean") as typeof import("./components/hosts/digitalOcean");
      return new DigitalOceanDockerHost(name, { ...host, ports });
    }
    case "aws": {
      const { AwsDockerHost } = require("./components/hosts/aws") as typeof import("./components/hosts/aws");
      return new AwsDockerHost(name, { ...host, ports });
    }
    default:
      return host satisfies never;
  }
}

function createRecord(name: string, dns: DnsSettings, record: DnsRecordArgs): pulumi.ComponentResource {
  switch (dns.provider) {
    case "route53": {
      const { Route53DnsRecord } = require("./components/dns/route53") as typeof import("./components/dns/route53");
      return new Route53DnsRecord(name, record);
    }
    case "digitalocean": {
      const { DigitalOceanDnsRecord } =
        require("./components/dns/digitalOcean") as typeof import("./components/dns/digitalOcean");
      return new DigitalOceanDnsRecord(name, record);
    }
    case "dnsimple": {
      const { DnsimpleDnsRecord } = require("./components/dns/dnsimple") as typeof import("./components/dns/dnsimple");
      return new DnsimpleDnsRecord(name, { ...record, ...dns });
    }
    default:
      return dns satisfies never;
  }
}
