import { RunError } from "@pulumi/pulumi";

/** An error that the user can fix. Pulumi shows only its message. */
export class UserError extends RunError {
  constructor(message: string) {
    super(message);
    // Pulumi formats the stack trace even if it doesn't show it. With a frame of `@pulumi/resource.ts`, Node 20 does
    // that in a loop that ends half a minute later, when the text has become too long for a string.
    this.stack = message;
  }
}

/** The message of a thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
