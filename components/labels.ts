import type * as pulumi from "@pulumi/pulumi";

/** The Docker label that names the owning stack, for `make logs` and for the clean-up after an interrupted run. */
export const ownerLabel = "private-registry.stack";

/** The label that says what a server is for. Its container's name may change with each replacement. */
export const roleLabel = "private-registry.role";

export type Role = "registry" | "proxy" | "lego" | "certifier" | "keeper";

/** How many containers a stack has in each role, if it has the role at all. Those of the registry serve the same data: where one dies, the other goes on. */
export const replicas: Readonly<Record<Role, number>> = { registry: 2, proxy: 1, lego: 1, certifier: 1, keeper: 1 };

/** The label of a container in this role. */
export function inRole(role: Role) {
  return { labels: [{ label: roleLabel, value: role }] };
}

/** Labels containers and networks. Volumes have no label, so that `up` adopts a volume that it finds. */
export function labelled(name: string): pulumi.ResourceTransformation {
  return ({ type, props, opts }) => {
    if (type !== "docker:index/container:Container" && type !== "docker:index/network:Network") return undefined;
    const { labels = [] } = props as { labels?: object[] };
    return { props: { ...(props as object), labels: [...labels, { label: ownerLabel, value: name }] }, opts };
  };
}
