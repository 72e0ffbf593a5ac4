import * as pulumi from "@pulumi/pulumi";

interface KeptInputs {
  readonly value: string;
  readonly until: string;
}

const provider: pulumi.dynamic.ResourceProvider<KeptInputs, KeptInputs> = {
  create: (inputs) => Promise.resolve({ id: "kept", outs: inputs }),
  diff: (_id, { until }, news) => Promise.resolve({ changes: until !== news.until }),
  update: (_id, _olds, news) => Promise.resolve({ outs: news }),
};

export interface KeptArgs {
  /** What was looked up this time. */
  readonly value: pulumi.Input<string>;
  /** Another text makes it take the value of that time. */
  readonly until: pulumi.Input<string>;
}

/** A value that was looked up once and stays, in the state, whatever later look-ups give. */
export class Kept extends pulumi.dynamic.Resource {
  declare readonly value: pulumi.Output<string>;

  constructor(name: string, args: KeptArgs, opts?: pulumi.CustomResourceOptions) {
    super(provider, name, { ...args }, opts, "privateregistry", "Kept");
  }
}
