import * as pulumi from "@pulumi/pulumi";

/** The result of a look-up. */
export interface Found {
  /** Empty if nothing was found. */
  readonly value: string;
  /** Why nothing was found. */
  readonly reason?: string;
}

interface KeptInputs extends Found {
  readonly until: string;
}

const provider: pulumi.dynamic.ResourceProvider<KeptInputs, KeptInputs> = {
  create: async (inputs) => ({ id: "kept", outs: await kept(inputs) }),
  diff: (_id, { until }, news) => Promise.resolve({ changes: until !== news.until }),
  update: async (_id, _olds, news) => ({ outs: await kept(news) }),
};

function kept(inputs: KeptInputs): Promise<KeptInputs> {
  if (inputs.value !== "") return Promise.resolve(inputs);
  const error = new Error(inputs.reason);
  error.stack = error.message;
  return Promise.reject(error);
}

export interface KeptArgs {
  /** The result of this run's look-up. A failed look-up is ignored while a value is stored. */
  readonly found: pulumi.Input<Found>;
  /** Changing this stores the current value. */
  readonly until: pulumi.Input<string>;
}

/** A value that is looked up once and then stays in the state, whatever later look-ups return. */
export class Kept extends pulumi.dynamic.Resource {
  declare readonly value: pulumi.Output<string>;

  constructor(name: string, { found, until }: KeptArgs, opts?: pulumi.CustomResourceOptions) {
    const { value, reason } = pulumi.output(found);
    super(provider, name, { value, reason, until }, opts, "privateregistry", "Kept");
  }
}
