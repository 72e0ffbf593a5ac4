import type * as pulumi from "@pulumi/pulumi";

/** The Docker label that names the owning stack, for `make logs` and for the clean-up after an interrupted run. */
export const ownerLabel = "private-registry.stack";

/** Labels containers and networks. Volumes have no label, so that `up` adopts a volume that it finds. */
export function labelled(name: string): pulumi.ResourceTransformation {
  const labels = [{ label: ownerLabel, value: name }];
  return ({ type, props, opts }) =>
    type === "docker:index/container:Container" || type === "docker:index/network:Network"
      ? { props: { ...(props as object), labels }, opts }
      : undefined;
}
