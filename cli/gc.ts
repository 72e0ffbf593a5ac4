import { UserError } from "../components/userError.ts";
import { containersIn } from "./containers.ts";
import { engineOf } from "./engine.ts";
import { setVariables } from "./environment.ts";
import { run } from "./processes.ts";
import type { Stack } from "./stack.ts";

/**
 * Collects what no manifest needs, now, with progress. What it does beyond that is in the environment: DRY, NOW, EMPTY,
 * UNDO.
 */
export async function gc(stack: Stack): Promise<void> {
  await stack.state();
  setVariables((await engineOf(stack)).variables);
  const keeper = containersIn("keeper", stack).find(({ state }) => state === "running");
  if (keeper === undefined) {
    throw new UserError(
      `No keeper runs in the stack ${stack.name}, which would collect. If the setting care is set, run make up STACK=${stack.name}. ` +
        `Else set it first: docs/care.md`,
    );
  }
  const script = 'exec node "$PROGRAM/gc.ts" "$PROGRAM" "$@"';
  run("docker", ["exec", keeper.id, "sh", "-c", script, "-", ...words(process.env)]);
}

function words({ DRY = "", NOW = "", EMPTY = "", UNDO = "" }: NodeJS.ProcessEnv): string[] {
  const given = [
    ...(DRY === "" ? [] : [["--dry"]]),
    ...(NOW === "" ? [] : [["--now"]]),
    ...(EMPTY === "" ? [] : [["--empty"]]),
    ...(UNDO === "" ? [] : [["--undo", UNDO]]),
  ];
  if (given.length > 1) throw new UserError("Give only one of DRY=1, NOW=1, EMPTY=1 and UNDO=RUN.");
  return given.flat();
}
