import * as pulumi from "@pulumi/pulumi";

/** What a look-up gave. */
export interface Found {
  /** Empty where nothing was found. */
  readonly value: string;
  /** Why not. */
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
  /** What was looked up this time. It may have failed as long as what is kept will do. */
  readonly found: pulumi.Input<Found>;
  /** Another text makes it take the value of that time. */
  readonly until: pulumi.Input<string>;
}

/** A value that was looked up once and stays, in the state, whatever later look-ups give. */
export class Kept extends pulumi.dynamic.Resource {
  declare readonly value: pulumi.Output<string>;

  constructor(name: string, { found, until }: KeptArgs, opts?: pulumi.CustomResourceOptions) {
    const { value, reason } = pulumi.output(found);
    super(provider, name, { value, reason, until }, opts, "privateregistry", "Kept");
  }
}
