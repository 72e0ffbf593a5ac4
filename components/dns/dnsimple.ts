import * as pulumi from "@pulumi/pulumi";

import { type DnsRecordArgs, nameInZone, recordsOf } from "./dnsRecord";

export interface DnsimpleDnsRecordArgs extends DnsRecordArgs {
  /** The number of the account, as the address of its pages has it. */
  readonly account: number;
  /** Secret: an API token of that account. */
  readonly token: pulumi.Input<string>;
  /** Where the API answers. Default: that of the service. `https://api.sandbox.dnsimple.com` is its sandbox. */
  readonly apiUrl?: string | undefined;
}

/** A name in a zone that DNSimple serves. */
export class DnsimpleDnsRecord extends pulumi.ComponentResource {
  constructor(name: string, args: DnsimpleDnsRecordArgs, opts?: pulumi.ComponentResourceOptions) {
    super("privateregistry:index:DnsimpleDnsRecord", name, {}, opts);
    const { account, token, apiUrl = "https://api.dnsimple.com", zone, ttl } = args;
    for (const { type, value } of recordsOf(args)) {
      const record = { apiUrl, account, token, zone, name: nameInZone(args.name, zone), type, ttl, value };
      new ZoneRecord(`${name}-${type.toLowerCase()}`, record, { parent: this });
    }
    this.registerOutputs({});
  }
}

interface Inputs {
  readonly apiUrl: string;
  readonly account: number;
  readonly token: string;
  readonly zone: string;
  readonly name: string;
  readonly type: "A" | "AAAA";
  readonly ttl: number;
  readonly value: string;
}

/**
 * DNSimple has no Pulumi package for Node.js: this is its own client library behind a dynamic provider. The functions
 * run in that provider's process, so each takes what it needs along.
 */
const provider: pulumi.dynamic.ResourceProvider<Inputs, Inputs> = {
  async create(inputs) {
    const { account, zone, name, type, ttl, value } = inputs;
    const { id } = await asked(inputs, async (zones) => {
      const record = { name: name === "@" ? "" : name, type, ttl, content: value };
      // One that a run made before it was cut short is the one that is wanted.
      const { data: same } = await zones.listZoneRecords(account, zone, { name: record.name, type });
      const made = same.find((each) => each.name === record.name && each.type === type && each.content === value);
      return made ?? (await zones.createZoneRecord(account, zone, record)).data;
    });
    return { id: String(id), outs: inputs };
  },
  diff: (_id, olds, news) => {
    const changed = (["zone", "name", "type", "account", "ttl", "value", "token", "apiUrl"] as const).filter(
      (key) => olds[key] !== news[key],
    );
    return Promise.resolve({
      changes: changed.length > 0,
      replaces: changed.filter((key) => key === "zone" || key === "name" || key === "type" || key === "account"),
      deleteBeforeReplace: true,
    });
  },
  async update(id, _olds, news) {
    const { account, zone, ttl, value } = news;
    await asked(news, (zones) => zones.updateZoneRecord(account, zone, Number(id), { ttl, content: value }));
    return { outs: news };
  },
  async delete(id, { account, zone, ...olds }) {
    await asked({ account, zone, ...olds }, async (zones) => {
      // Somebody may have removed it by hand.
      await zones.deleteZoneRecord(account, zone, Number(id)).catch((error: unknown) => {
        if ((error as { status?: number }).status !== 404) throw error;
      });
    });
  },
};

type Zones = InstanceType<(typeof import("dnsimple"))["DNSimple"]>["zones"];

/** Asks DNSimple, and says what it said where it refuses. */
async function asked<T>({ apiUrl, token, zone }: Inputs, ask: (zones: Zones) => Promise<T>): Promise<T> {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- loaded where it runs
  const { DNSimple } = require("dnsimple") as typeof import("dnsimple");
  try {
    return await ask(new DNSimple({ accessToken: token, baseUrl: apiUrl }).zones);
  } catch (error) {
    const { status, message } = error as { status?: number; message: string };
    const why =
      status === 401 ? "the token is not accepted" : status === 404 ? "the account has no such zone" : message;
    const told = new Error(`DNSimple refuses the record in ${zone}: ${why}`);
    told.stack = told.message;
    throw told;
  }
}

/** One record of a zone. */
class ZoneRecord extends pulumi.dynamic.Resource {
  constructor(
    name: string,
    inputs: { [K in keyof Inputs]: pulumi.Input<Inputs[K]> },
    opts: pulumi.CustomResourceOptions,
  ) {
    super(provider, name, inputs, { ...opts, additionalSecretOutputs: ["token"] }, "privateregistry", "DnsimpleRecord");
  }
}
