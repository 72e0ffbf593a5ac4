import { type Outputs, outputsOf, stateOf } from "./pulumi";

/** The outputs of a stack that is up. Of one that isn't, this process says so, and ends. */
export function liveOutputsOf(stack: string): Outputs {
  const outputs: Partial<Outputs> = outputsOf(stack);
  if (outputs.endpoint === undefined || isMachineGone(stack, outputs)) {
    console.error(`The stack ${stack} is not up; what brings it up: make up STACK=${stack}`);
    process.exit(1);
  }
  return outputs as Outputs;
}

/** Beside a data volume that is kept the outputs stay, too. */
function isMachineGone(stack: string, { login }: Partial<Outputs>): boolean {
  return Boolean(login) && !stateOf(stack).resources.some(({ type }) => type.endsWith(":HostKey"));
}
