import * as z from "zod/mini";

import { isDate } from "./text.ts";

/** What people read about a setting, and what a problem with it says. */
export interface About {
  /** One or more sentences, in Markdown. */
  readonly meaning: string;
  /** What a value must be, as a problem calls it: "a region". */
  readonly what: string;
  /** A right value, as it is typed in a shell. */
  readonly example?: string;
  /** What it is when it is left out, where that is no fixed value. */
  readonly without?: string;
  /** What a change does, after "A change". */
  readonly change?: string;
  readonly isSecret?: boolean;
  /** What leaving a secret out is good for. */
  readonly leftOut?: string;
  /** What a list lacks that is not set. Default: `what`. */
  readonly needs?: string;
  /** What fixes a list or an object, by its path. */
  readonly cure?: (path: string) => string;
}

/** What is known about each kind of value in the schema. */
export const abouts = z.registry<About>();

/** One more thing that a text must satisfy. */
export interface Check {
  readonly holds: (text: string) => boolean;
  /** What is wrong with one that does not. It never quotes a secret. Default: it is not `what` it must be. */
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

/** A text that no problem quotes, and that leaves the settings as a secret. */
export function secret(about: About, ...checks: readonly Check[]) {
  return text({ ...about, isSecret: true }, { holds: (given) => given !== "" }, ...checks);
}

/** A whole number, or the digits of one: as which Pulumi hands it over depends on how it was set. */
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

/** Its default also stands in where YAML has nothing behind the key. */
export function withDefault<T extends z.ZodMiniType>(kind: T, value: z.core.util.NoUndefined<z.output<T>>) {
  return after((given) => given ?? undefined, z._default(kind, value));
}

/** A setting whose empty text, which Pulumi.yaml declares, means that it is not set. */
export function unlessEmpty<T extends z.ZodMiniType>(kind: T) {
  return after((given) => (given === "" ? undefined : given), kind);
}

/** A kind of value, and what comes before it is read. */
function after<T extends z.ZodMiniType>(change: (given: unknown) => unknown, kind: T) {
  return z.pipe(z.transform(change), kind);
}
