import type { Resource } from "./state.ts";

/** What the code of version 0.1.0 loads, and what it has to load by now. */
const moved = [
  ['require("tsx/cjs");', ""],
  ['"components/hosts/machineSteps"', '"components/hosts/machine/steps.ts"'],
] as const;

/**
 * A resource as this version can go on with it; the same object where nothing is to change. Pulumi keeps in the state the
 * code by which a step of a machine is undone, and that of an earlier version loads files that have moved.
 */
export function adopted(resource: Resource): Resource {
  const { __provider: code } = resource.inputs ?? {};
  if (typeof code !== "string") return resource;
  const renewed = moved.reduce((text, [from, to]) => text.replaceAll(from, to), code);
  const { inputs, outputs } = resource;
  return renewed === code
    ? resource
    : { ...resource, inputs: { ...inputs, __provider: renewed }, outputs: { ...outputs, __provider: renewed } };
}
