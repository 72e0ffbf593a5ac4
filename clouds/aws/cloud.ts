import type { Cloud } from "../cloud.ts";
import type { AwsDockerHostArgs } from "./host.ts";

export const aws: Cloud<AwsDockerHostArgs> = {
  package: "aws",
  ask: async (name, args) => (await import("./ask.ts")).askAws(name, args),
  createHost: async (name, args) => new (await import("./host.ts")).AwsDockerHost(name, args),
  // The price in Frankfurt.
  dataVolume: { type: "aws:ebs/volume:Volume", price: 0.095 },
  // Links between two resources, and what is identified by a name: records, and the rights of a user.
  unique: /(Attachment|Association|UserPolicy|route53.*)$/,
};
