import { PolicyPack, type ResourceValidationPolicy } from "@pulumi/policy";

import { rules } from "./rules.ts";

/** If a rule reads a value that a preview doesn't know yet, Pulumi skips the rule with a note; `up` checks it. */
export const policies = rules.map(({ name, description, types, problem }): ResourceValidationPolicy => ({
  name,
  description,
  validateResource: ({ type, props }, report) => {
    const wrong = types.includes(type) ? problem(props) : undefined;
    if (wrong !== undefined) report(wrong);
  },
}));

// Not when a test imports this module. A killed Pulumi does not stop this process, but then standard input ends.
if (process.argv[1] === import.meta.filename) {
  new PolicyPack("private-registry", { policies, enforcementLevel: "mandatory" });
  process.stdin.resume().on("end", () => process.exit());
}
