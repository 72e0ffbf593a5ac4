import type { Cloud } from "../cloud.ts";
import type { AwsDockerHostArgs } from "./host.ts";

export const aws: Cloud<AwsDockerHostArgs> = {
  package: "aws",
  ask: async (name, args) => (await import("./ask.ts")).askAws(name, args),
  createHost: async (name, args) => new (await import("./host.ts")).AwsDockerHost(name, args),
  // In Frankfurt.
  dataVolume: { type: "aws:ebs/volume:Volume", price: 0.095 },
  // What joins two things, and a record, whose name is its identity.
  unique: /(Attachment|Association|route53.*)$/,
};
