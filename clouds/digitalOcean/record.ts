import * as digitalocean from "@pulumi/digitalocean";
import * as pulumi from "@pulumi/pulumi";

import { type DnsRecordArgs, nameInZone, recordsOf } from "../../components/dnsRecord.ts";

/** A DNS record in a domain at DigitalOcean. */
export class DigitalOceanDnsRecord extends pulumi.ComponentResource {
  constructor(name: string, args: DnsRecordArgs, opts?: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:DigitalOceanDnsRecord", name, {}, opts);
    const record = { domain: args.zone, name: nameInZone(args.name, args.zone), ttl: args.ttl };
    for (const { type, value } of recordsOf(args))
      new digitalocean.DnsRecord(`${name}-${type.toLowerCase()}`, { ...record, type, value }, { parent: this });
    this.registerOutputs({});
  }
}
