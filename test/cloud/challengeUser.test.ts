import assert from "node:assert/strict";

import { renderPolicy } from "../../clouds/aws/challenges.ts";
import { type IamRequest, isAllowed } from "../support/iam.ts";

const zone = "arn:aws:route53:::hostedzone/Z1";
const policy = renderPolicy("Z1", ["_acme-challenge.example.com", "_acme-challenge.registry.example.com"]);

const change = "ChangeResourceRecordSets";

/** What AWS knows of a change of records with these names, of these types. */
const changeOf = (names: string[], types: string[]) => ({
  [`route53:${change}NormalizedRecordNames`]: names,
  [`route53:${change}RecordTypes`]: types,
  [`route53:${change}Actions`]: ["UPSERT"],
});
const text = changeOf(["_acme-challenge.example.com"], ["TXT"]);

describe("the user of AWS who answers an authority's challenges", function () {
  this.timeout(60_000); // The simulator of AWS's decisions is installed once.

  const worlds: Record<
    string,
    readonly [is: boolean, action: string, resource: string, context: IamRequest["context"]]
  > = {
    "may change one of its texts": [true, change, zone, text],
    "may change all of its texts at once": [
      true,
      change,
      zone,
      changeOf(["_acme-challenge.example.com", "_acme-challenge.registry.example.com"], ["TXT"]),
    ],
    "may read the zone": [true, "ListResourceRecordSets", zone, {}],
    "may not change another text": [false, change, zone, changeOf(["registry.example.com"], ["TXT"])],
    "may not change the text of another name": [
      false,
      change,
      zone,
      changeOf(["_acme-challenge.other.example.com"], ["TXT"]),
    ],
    "may not change another type of record": [false, change, zone, changeOf(["_acme-challenge.example.com"], ["A"])],
    "may not change another record together with one of its texts": [
      false,
      change,
      zone,
      changeOf(["_acme-challenge.example.com", "registry.example.com"], ["TXT", "A"]),
    ],
    "may not change what AWS knows no name of": [false, change, zone, {}],
    "may not change its texts in another zone": [false, change, "arn:aws:route53:::hostedzone/Z2", text],
    "may not read another zone": [false, "ListResourceRecordSets", "arn:aws:route53:::hostedzone/Z2", {}],
    "may not ask about changes": [false, "GetChange", "arn:aws:route53:::change/C1", {}],
    "may not delete the zone": [false, "DeleteHostedZone", zone, {}],
    "may not list the zones": [false, "ListHostedZones", "*", {}],
  };
  for (const [what, [is, action, resource, context]] of Object.entries(worlds))
    it(what, async () => {
      assert.equal(await isAllowed(policy, { action: `route53:${action}`, resource, context }), is);
    });
});
