import type * as pulumi from "@pulumi/pulumi";

/** The Docker label by which `make logs` and the clean-up after a run cut short know what belongs to a stack. */
export const ownerLabel = "private-registry.stack";

/** Labels what Docker can list by label. A volume isn't: one that outlived its stack would have to match. */
export function labelled(name: string): pulumi.ResourceTransformation {
  const labels = [{ label: ownerLabel, value: name }];
  return ({ type, props, opts }) =>
    type === "docker:index/container:Container" || type === "docker:index/network:Network"
      ? { props: { ...(props as object), labels }, opts }
      : undefined;
}
