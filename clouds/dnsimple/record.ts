import * as pulumi from "@pulumi/pulumi";

import { type DnsRecordArgs, nameInZone, recordsOf } from "../../components/dnsRecord.ts";

export interface DnsimpleDnsRecordArgs extends DnsRecordArgs {
  /** The number of the account, as in the URL of its pages. */
  readonly account: number;
  /** Secret: an API token of that account. */
  readonly token: pulumi.Input<string>;
  /** The URL of the API. Default: the public API. The sandbox is `https://api.sandbox.dnsimple.com`. */
  readonly apiUrl?: string | undefined;
}

/** A DNS record in a zone at DNSimple. */
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
 * DNSimple has no Pulumi package for Node.js, so its client library runs behind a dynamic provider. The functions are
 * serialized and run in that provider's process, so each loads what it needs.
 */
const provider: pulumi.dynamic.ResourceProvider<Inputs, Inputs> = {
  async create(inputs) {
    const { account, zone, name, type, ttl, value } = inputs;
    const { id } = await asked(inputs, async (zones) => {
      const record = { name: name === "@" ? "" : name, type, ttl, content: value };
      // One that a run made before it was cut short is the one that is wanted.
      const { data: same } = await zones.listZoneRecords(account, zone, { name: record.name, type });
      const made = same.find((each) => each.name === record.name && each.type === type && each.content === value);
      if (made === undefined) return (await zones.createZoneRecord(account, zone, record)).data;
      return made.ttl === ttl ? made : (await zones.updateZoneRecord(account, zone, made.id, { ttl })).data;
    });
    return { id: String(id), outs: inputs };
  },
  async read(id, inputs = {} as Inputs) {
    try {
      const { data } = await asked(inputs, (zones) => zones.getZoneRecord(inputs.account, inputs.zone, Number(id)));
      return { id, props: { ...inputs, value: data.content, ttl: data.ttl } };
    } catch (error) {
      if ((error as Refusal).status === 404) return {};
      // As with a token that was changed: the new one comes with the update that follows.
      console.warn(`${(error as Error).message}; taking it to be as it was`);
      return { id, props: inputs };
    }
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

/** Sends a request to DNSimple. A refusal becomes an error with DNSimple's message. */
async function asked<T>({ apiUrl, token, zone }: Inputs, ask: (zones: Zones) => Promise<T>): Promise<T> {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- loaded where it runs, which is no module
  const { DNSimple } = require("dnsimple") as typeof import("dnsimple");
  try {
    return await ask(new DNSimple({ accessToken: token, baseUrl: apiUrl }).zones);
  } catch (error) {
    const { status } = error as Refusal;
    const verb = status === undefined ? "does not answer about" : "refuses";
    const told = new Error(`DNSimple ${verb} the record in ${zone}: ${reasonOf(error as Refusal)}`);
    told.stack = told.message;
    throw Object.assign(told, { status });
  }
}

/** What DNSimple's library throws: with a status if DNSimple answered, with a code if the network failed. */
type Refusal = Error & {
  readonly status?: number;
  readonly code?: string;
  readonly data?: { readonly message?: string; readonly errors?: Readonly<Record<string, readonly string[]>> };
};

function reasonOf(error: Refusal): string {
  const { status, code, message, data: { message: said = message, errors = {} } = {} } = error;
  if (status === 401) return "the token is not accepted";
  if (status === 404 && /^record/i.test(said)) return "it is gone; `make up` notes that";
  if (status === 404) return "the account has no such zone";
  // What comes is no JSON, as from a gateway before a service that is down.
  if (error.name === "SyntaxError") return "its service is not there at the moment";
  const details = Object.entries(errors).map(([key, each]) => `; ${key}: ${each.join(", ")}`);
  return `${said || (code ?? error.constructor.name)}${details.join("")}`;
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
