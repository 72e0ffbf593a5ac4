import { RunError } from "@pulumi/pulumi";

/** Something for the user to mend: Pulumi shows the message alone. */
export class UserError extends RunError {
  constructor(message: string) {
    super(message);
    // Pulumi formats the stack even of an error that it shows without. On a frame of `@pulumi/resource.ts` Node 20 does
    // so in a loop that ends half a minute later, when the text has become too long for a string.
    this.stack = message;
  }
}

/** What something that was thrown says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
