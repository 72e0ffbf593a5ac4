import * as z from "zod/mini";

import { isDate } from "./text.ts";

/** The texts about a setting, for documentation and for messages. */
export interface About {
  /** One or more sentences, in Markdown. */
  readonly meaning: string;
  /** What a value must be, as a message calls it: "a region". */
  readonly what: string;
  /** A valid value, as it is typed in a shell. */
  readonly example?: string;
  /** The default in words, if it is not a fixed value. */
  readonly without?: string;
  /** The effect of a change; follows "A change". */
  readonly change?: string;
  readonly isSecret?: boolean;
  /** Why one would leave a secret out: "to have one generated". */
  readonly leftOut?: string;
  /** What a missing list should say. Default: `what`. */
  readonly needs?: string;
  /** The fix for a wrong list or object, by its path. */
  readonly cure?: (path: string) => string;
}

/** The texts about each kind of value in the schema. */
export const abouts = z.registry<About>();

/** An additional check of a text. */
export interface Check {
  readonly holds: (text: string) => boolean;
  /** The message if the check fails. It never quotes a secret. Default: the text is not `what` it must be. */
  readonly wrong?: (text: string) => string;
  /** Default: the command that sets the default or the example. */
  readonly cure?: (path: string, text: string) => string;
}

export function text(about: About, ...checks: readonly Check[]) {
  const all = [{ holds: (given: string) => !isDate(given) }, ...checks];
  return z
    .string()
    .check(...all.map((check) => z.refine<string>(check.holds, { params: { check } })))
    .register(abouts, about);
}

export function pattern(expression: RegExp): Check {
  return { holds: (given) => expression.test(given) };
}

/** A text that no message quotes and that is passed on as a secret. */
export function secret(about: About, ...checks: readonly Check[]) {
  return text({ ...about, isSecret: true }, { holds: (given) => given !== "" }, ...checks);
}

/** A whole number or its digits: Pulumi passes either, depending on how the setting was written. */
export function number(least: number, most: number, { what, ...about }: Omit<About, "what"> & { what?: string }) {
  const range = `a whole number from ${String(least)} to ${String(most)}`;
  const whole = z.int().check(z.gte(least), z.lte(most));
  return after(
    (given) => (typeof given === "string" && /^\d+$/.test(given) ? Number(given) : given),
    whole.register(abouts, { what: what ?? range, ...about }),
  );
}

export function flag(about: Omit<About, "what">) {
  return after(
    (given) => (given === "true" ? true : given === "false" ? false : given),
    z.boolean().register(abouts, { what: "true or false", ...about }),
  );
}

export function choice<const T extends readonly string[]>(options: T, about: About) {
  return z.enum(options).register(abouts, about);
}

/** The default also applies if YAML has no value after the key. */
export function withDefault<T extends z.ZodMiniType>(kind: T, value: z.core.util.NoUndefined<z.output<T>>) {
  return after((given) => given ?? undefined, z._default(kind, value));
}

/** A setting for which empty text, the default in Pulumi.yaml, means "not set". */
export function unlessEmpty<T extends z.ZodMiniType>(kind: T) {
  return after((given) => (given === "" ? undefined : given), kind);
}

/** A kind of value whose input is transformed before it is checked. */
function after<T extends z.ZodMiniType>(change: (given: unknown) => unknown, kind: T) {
  return z.pipe(z.transform(change), kind);
}
