import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import {
  type ChallengeAccess,
  challengeNames,
  type DnsChallenge,
} from "../../components/certificate/acme/challenge.ts";

export interface Route53ChallengesArgs extends Pick<DnsChallenge, "zone" | "apiUrl"> {
  /** The names of the certificate. A change goes live in the rights of the same user. */
  readonly names: pulumi.Input<readonly string[]>;
}

/**
 * A user of AWS that can write the answers to an authority's challenges for some names, and nothing else. Its key is the
 * only one that reaches the machine: those of the operator don't.
 */
export class Route53Challenges extends pulumi.ComponentResource {
  readonly access: ChallengeAccess;

  constructor(name: string, args: Route53ChallengesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:Route53Challenges", name, {}, opts);
    const parent = { parent: this };
    const { zoneId } = aws.route53.getZoneOutput({ name: args.zone, privateZone: false }, parent);

    const user = new aws.iam.User(name, { tags: { Name: name } }, parent);
    const policy = pulumi.all([zoneId, args.names]).apply(([zone, names]) => renderPolicy(zone, challengeNames(names)));
    // Its name is fixed, so that a run that was killed while it made one leaves no second one.
    const rights = new aws.iam.UserPolicy(name, { name, user: user.name, policy }, parent);
    const key = new aws.iam.AccessKey(
      name,
      { user: user.name },
      { parent: this, dependsOn: rights, additionalSecretOutputs: ["secret", "sesSmtpPasswordV4"] },
    );

    this.access = {
      AWS_ACCESS_KEY_ID: key.id,
      AWS_SECRET_ACCESS_KEY: key.secret,
      AWS_HOSTED_ZONE_ID: zoneId,
      // Route 53 is the same everywhere, but a region has to be named.
      AWS_REGION: "us-east-1",
      // It looks whether the record is known anyway. To wait for each change as well takes minutes if there are many.
      AWS_WAIT_FOR_RECORD_SETS_CHANGED: "false",
      ...(args.apiUrl === undefined ? {} : { AWS_ENDPOINT_URL_ROUTE_53: args.apiUrl }),
    };
    this.registerOutputs({});
  }
}

/** @param records The names of the TXT records that may be changed. */
export function renderPolicy(zoneId: string, records: readonly string[]): string {
  const zone = `arn:aws:route53:::hostedzone/${zoneId}`;
  const [names, types] = ["NormalizedRecordNames", "RecordTypes"].map(
    (key) => `route53:ChangeResourceRecordSets${key}`,
  ) as [string, string];
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Action: "route53:ChangeResourceRecordSets",
        Resource: zone,
        Condition: {
          "ForAllValues:StringEquals": { [names]: records, [types]: ["TXT"] },
          // Without them "all values" would be true of a request that names none.
          Null: { [names]: "false", [types]: "false" },
        },
      },
      { Effect: "Allow", Action: "route53:ListResourceRecordSets", Resource: zone },
    ],
  });
}
