import { PolicyPack, type ResourceValidationPolicy } from "@pulumi/policy";

import { rules } from "./rules.ts";

/** A rule that would read what a preview can't know yet is passed over by Pulumi, which says so; `up` judges it. */
export const policies = rules.map(({ name, description, types, problem }): ResourceValidationPolicy => ({
  name,
  description,
  validateResource: ({ type, props }, report) => {
    const wrong = types.includes(type) ? problem(props) : undefined;
    if (wrong !== undefined) report(wrong);
  },
}));

// A test reads the policies and serves none. Pulumi holds this input open while it lives; one that was killed ends nothing.
if (process.argv[1] === import.meta.filename) {
  new PolicyPack("private-registry", { policies, enforcementLevel: "mandatory" });
  process.stdin.resume().on("end", () => process.exit());
}
