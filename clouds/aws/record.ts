import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import { type DnsRecordArgs, recordsOf } from "../../components/dnsRecord.ts";

/** A DNS record in a public hosted zone of Route 53. */
export class Route53DnsRecord extends pulumi.ComponentResource {
  constructor(name: string, args: DnsRecordArgs, opts?: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:Route53DnsRecord", name, {}, opts);
    const parent = { parent: this };
    const { zoneId } = aws.route53.getZoneOutput({ name: args.zone, privateZone: false }, parent);
    for (const { type, value } of recordsOf(args)) {
      // An existing record is taken over: an interrupted run may have created it.
      const record = { zoneId, name: args.name, type, ttl: args.ttl, records: [value], allowOverwrite: true };
      new aws.route53.Record(`${name}-${type.toLowerCase()}`, record, parent);
    }
    this.registerOutputs({});
  }
}
