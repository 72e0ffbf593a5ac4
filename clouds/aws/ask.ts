import * as aws from "@pulumi/aws";

import type { Problem } from "../../settings/problems.ts";
import { answered, hostProblem, leftFor, type Refusals } from "../ask.ts";
import type { AwsDockerHostArgs } from "./host.ts";

const refusedCredentials: Refusals[number] = [
  /InvalidClientTokenId|SignatureDoesNotMatch|ExpiredToken|UnrecognizedClient|AuthFailure|credential/i,
  {
    setting: "aws",
    wrong: "the credentials are not accepted",
    cure: "check that `aws sts get-caller-identity` works in this shell",
  },
];

/** The messages of the provider and of AWS when nothing is found. */
const absent = /not ?found|no matching|InvalidInstanceType|couldn't find|does not exist/i;

/**
 * Asks AWS, before anything is created, whether it has what the settings need. Changes nothing there.
 *
 * @param name The name of the host.
 */
export async function askAws(
  name: string,
  { size, image, subnet }: Pick<AwsDockerHostArgs, "size" | "image" | "subnet">,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  const ask = <T>(lookup: Promise<T>, otherwise: Problem) =>
    answered("AWS", lookup, [refusedCredentials, [absent, otherwise]], problems);

  const type = await ask(
    aws.ec2.getInstanceType({ instanceType: size }),
    hostProblem("size", `"${size}" is not an instance type in this region`, "t3.small"),
  );
  // On the hypervisor before Nitro, disks have other device names.
  if (type?.ebsNvmeSupport === "unsupported") {
    const wrong = `"${size}" is of an old generation, whose disks are not NVMe devices`;
    problems.push(hostProblem("size", wrong, "t3.small"));
  }
  const example = "subnet-0123456789abcdef0";
  if (subnet === undefined) {
    const wrong = "is not set, and this region has no default VPC to take a subnet from";
    await ask(aws.ec2.getVpc({ default: true }), hostProblem("subnet", wrong, example));
  } else {
    const wrong = `there is no "${subnet}" in this region`;
    await ask(aws.ec2.getSubnet({ id: subnet }), hostProblem("subnet", wrong, example));
  }
  if (!image.startsWith("ami-")) {
    const wrong = `there is no SSM parameter "${image}" in this region`;
    await ask(aws.ssm.getParameter({ name: image }), hostProblem("image", wrong, "ami-0123456789abcdef0"));
  }

  const states = ["pending", "running", "stopping", "stopped"];
  const named = { instanceTags: { Name: name }, instanceStateNames: states };
  return leftFor(async () => (await aws.ec2.getInstances(named)).ids, problems);
}
