import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Exported, Resource } from "../../cli/state.ts";
import type { Checkout } from "./checkout.ts";

/** Commit 3be15ee's stack remote on digitalocean: its resources, and the code of a machine's steps. */
export const earlier = JSON.parse(readFileSync("test/support/states/3be15ee-digitalocean.json", "utf8")) as {
  /** Each by its types and its name. */
  readonly resources: readonly string[];
  readonly provider: string;
};

/** The volumes that it did not have. */
export const later = /-proxy-(certificate|challenges)\b/;

/**
 * Gives a stack the state that commit 3be15ee would have left of the same machine: with one registry container. Only the
 * check of the data is left in it, which came later: its container would be nobody's.
 */
export async function makeEarlier(checkout: Checkout): Promise<void> {
  const { stdout } = await checkout.pulumi("stack", "export");
  const exported = JSON.parse(stdout) as Exported;
  const { resources: present = [] } = exported.deployment;
  const second = present.find(({ urn }) => urn.endsWith("-registry-container-2"))?.id ?? "";
  await checkout.docker(["rm", "--force", "--volumes", second]);
  const resources = present
    .filter(({ type, id, urn }) => !type.endsWith(":Node") && id !== second && !later.test(urn))
    .map(({ inputs, outputs, ...rest }) => ({ ...rest, inputs: withCode(inputs), outputs: withCode(outputs) }));
  const text = JSON.stringify({ ...exported, deployment: { ...exported.deployment, resources } }, withoutLater)
    .replaceAll("$privateregistry:index:Node$", "$")
    .replaceAll("$privateregistry:index:Node::", "::")
    .replaceAll(/(::[^":]*-registry-container)-\d/g, "$1");
  assert.deepEqual(namesIn(text, checkout.name), earlier.resources);
  const file = join(checkout.folder, ".state/earlier.json");
  writeFileSync(file, text, { mode: 0o600 });
  const { code, output } = await checkout.pulumi("stack", "import", "--file", file);
  assert.equal(code, 0, output);
}

/** Nothing depends on what is not there. */
function withoutLater(_key: string, value: unknown): unknown {
  const isLater = (each: unknown) => typeof each === "string" && each.startsWith("urn:") && later.test(each);
  return Array.isArray(value) ? value.filter((each) => !isLater(each)) : value;
}

function withCode(values: Resource["inputs"]): Resource["inputs"] {
  return values && "__provider" in values ? { ...values, __provider: earlier.provider } : values;
}

/** Its resources, without the hash that ends the name of a host key: it differs from machine to machine. */
function namesIn(exported: string, name: string): string[] {
  const { resources = [] } = (JSON.parse(exported) as Exported).deployment;
  return resources
    .filter(({ urn }) => !/-registry-data-check(-run)?$/.test(urn))
    .filter(({ type }) => !type.startsWith("pulumi:providers:") || type === "pulumi:providers:docker")
    .map(({ urn }) => urn.split("::").slice(2).join("::").replace(name, "STACK"))
    .map((urn) => urn.replace(/(-keys-(?:boot|host))-[0-9a-f]{8}$/, "$1-HASH"))
    .sort();
}
