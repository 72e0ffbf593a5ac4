import { ownerLabel, type Role, roleLabel } from "../components/labels.ts";
import { outputOf } from "./processes.ts";
import type { Stack } from "./stack.ts";

/** The filter for everything that belongs to a stack, by its label. */
export function ownedBy(stack: Stack): readonly string[] {
  return ["--filter", `label=${ownerLabel}=${stack.fullName}`];
}

/** The containers of a stack in this role, running or not. */
export function containersIn(role: Role, stack: Stack): { readonly id: string; readonly state: string }[] {
  const inRole = [...ownedBy(stack), "--filter", `label=${roleLabel}=${role}`];
  return linesOf(outputOf("docker", ["ps", "--all", "--no-trunc", ...inRole, "--format", "{{.ID}} {{.State}}"])).map(
    (line) => {
      const [id = "", state = ""] = line.split(" ");
      return { id, state };
    },
  );
}

/** The lines of what a command printed. */
export function linesOf(printed: string): string[] {
  return printed.split("\n").filter((line) => line !== "");
}
