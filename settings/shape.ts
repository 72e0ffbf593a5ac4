import * as z from "zod/mini";

import { configCommand } from "../components/commands.ts";
import { isNot, isRecord, quoted, typed } from "./json.ts";
import { type About, abouts, type Check } from "./kinds.ts";
import { nearest, type Problems } from "./problems.ts";
import { kindMade } from "./text.ts";

type Shape = z.core.$ZodType;

/** A value of which any part may be missing because it was wrong. */
export type Some<T> = T extends readonly (infer E)[]
  ? readonly (Some<E> | undefined)[]
  : T extends object
    ? { readonly [K in keyof T]?: Some<T[K]> | undefined }
    : T;

/** Reads the value of a setting. Wrong parts are reported as problems and left out; the rest is read. */
export function readShape<S extends Shape>(
  shape: S,
  value: unknown,
  path: string,
  problems: Problems,
): Some<z.output<S>> | undefined {
  const result = z.safeParse(shape, value);
  if (!result.success) for (const issue of result.error.issues) addIssue(follow(shape, value, path, issue), problems);
  return (result.success ? result.data : rightOf(shape, value)) as Some<z.output<S>> | undefined;
}

interface Unwrapped {
  readonly core: z.core.$ZodTypes;
  readonly fallback?: unknown;
  readonly isOptional?: boolean;
}

/** Strips the wrappers that make a shape optional, give it a default or read it from text. */
export function unwrap(shape: Shape): Unwrapped {
  const core = shape as z.core.$ZodTypes;
  const { def } = core._zod;
  switch (def.type) {
    case "optional":
      return { isOptional: true, ...unwrap(def.innerType) };
    case "default":
      return { fallback: def.defaultValue, ...unwrap(def.innerType) };
    case "pipe":
      return unwrap(def.out);
    default:
      return { core };
  }
}

/** Whether Pulumi passes a setting as plain text, not as JSON. */
export function isScalar(shape: Shape): boolean {
  return ["string", "number", "boolean", "enum"].includes(unwrap(shape).core._zod.def.type);
}

export type Union = z.core.$ZodDiscriminatedUnion<z.core.$ZodObject[]>;

export function isObject(shape: Shape): shape is z.core.$ZodObject {
  return shape._zod.def.type === "object";
}

export function isArray(shape: Shape): shape is z.core.$ZodArray {
  return shape._zod.def.type === "array";
}

export function isUnion(shape: Shape): shape is Union {
  return shape._zod.def.type === "union";
}

/** The shapes of a union, by the value of the discriminator. */
export function optionsOf(union: Union): Readonly<Record<string, z.core.$ZodObject>> {
  const { discriminator, options } = union._zod.def;
  return Object.fromEntries(
    options.map((option) => {
      const literal = option._zod.def.shape[discriminator] as z.core.$ZodLiteral<string>;
      return [literal._zod.def.values[0] ?? "", option];
    }),
  );
}

/** The shape that the discriminator of a value names. */
function optionOf(union: Union, value: unknown): z.core.$ZodObject | undefined {
  const name = isRecord(value) ? value[union._zod.def.discriminator] : undefined;
  const options = optionsOf(union);
  return typeof name === "string" && Object.hasOwn(options, name) ? options[name] : undefined;
}

/** Reads a value part by part, and leaves out the wrong parts. */
function rightOf(shape: Shape, value: unknown): unknown {
  const { core } = unwrap(shape);
  const object = isUnion(core) ? optionOf(core, value) : core;
  if (object !== undefined && isObject(object) && isRecord(value))
    return Object.fromEntries(
      Object.entries(object._zod.def.shape).map(([key, part]) => [key, rightOf(part, value[key])]),
    );
  if (isArray(core) && Array.isArray(value)) return value.map((part) => rightOf(core._zod.def.element, part));
  return z.safeParse(shape, value).data;
}

/** The value of each secret, by its path, whether or not the rest of the setting is valid. */
export function secretsIn(shape: Shape, value: unknown, path: string): (readonly [path: string, value: unknown])[] {
  const { core } = unwrap(shape);
  if (abouts.get(core as never)?.isSecret === true) return [[path, value]];
  if (isArray(core) && Array.isArray(value))
    return value.flatMap((part, i) => secretsIn(core._zod.def.element, part, `${path}[${String(i)}]`));
  const objects = isUnion(core) ? Object.values(optionsOf(core)) : isObject(core) ? [core] : [];
  const parts = Object.fromEntries(objects.flatMap((object) => Object.entries(object._zod.def.shape)));
  return isRecord(value)
    ? Object.entries(parts).flatMap(([key, part]) => secretsIn(part, value[key], `${path}.${key}`))
    : [];
}

/** What is wrong and where. */
interface Finding {
  readonly path: string;
  readonly shape: z.core.$ZodTypes;
  readonly value: unknown;
  readonly fallback?: unknown;
  readonly issue: z.core.$ZodIssue;
}

function follow(root: Shape, whole: unknown, base: string, issue: z.core.$ZodIssue): Finding {
  let { core: shape, fallback } = unwrap(root) as { core: z.core.$ZodTypes; fallback?: unknown };
  let value = whole;
  let path = base;
  for (const key of issue.path) {
    const option = isUnion(shape) ? optionOf(shape, value) : shape;
    path += typeof key === "number" ? `[${String(key)}]` : `${path === "" ? "" : "."}${String(key)}`;
    value = (value as Record<PropertyKey, unknown>)[key];
    // An issue with the discriminator belongs to the union.
    if (option === undefined) break;
    ({ core: shape, fallback } = { fallback: undefined, ...unwrap(partOf(option, key)) });
  }
  // A value that is not an object is not quoted: it may be a secret in the wrong place.
  if (isUnion(shape) && issue.code === "invalid_type")
    return { path: `${path}.${shape._zod.def.discriminator}`, shape, value: undefined, issue };
  return { path, shape, value, fallback, issue };
}

function partOf(shape: z.core.$ZodTypes, key: PropertyKey): Shape {
  const part = isArray(shape)
    ? shape._zod.def.element
    : isObject(shape)
      ? shape._zod.def.shape[String(key)]
      : undefined;
  return part ?? shape;
}

function addIssue(finding: Finding, problems: Problems): void {
  const { path, shape, value, issue } = finding;
  if (issue.code === "unrecognized_keys") {
    const object = isUnion(shape) ? optionOf(shape, value) : shape;
    const known = object !== undefined && isObject(object) ? Object.keys(object._zod.def.shape) : [];
    for (const key of issue.keys) problems.addUnknownKey(path === "" ? "" : `${path}.`, key, known);
    return;
  }
  const about = abouts.get(shape as never) as About;
  const check = issue.code === "custom" ? (issue.params?.["check"] as Check) : undefined;
  const [wrong, cure] = describe(finding, about, check);
  problems.add(path, wrong, cure);
}

/** What is wrong and how to fix it. */
function describe({ path, shape, value, fallback }: Finding, about: About, check?: Check): readonly [string, string] {
  const given = value ?? undefined;
  const right = typed(fallback ?? about.example ?? "");
  const set = configCommand("set", path, right);
  switch (shape._zod.def.type) {
    case "object":
    case "array": {
      const wrong = value === undefined ? `is not set: ${about.needs ?? about.what} is needed` : `is not ${about.what}`;
      return [wrong, about.cure?.(path) ?? set];
    }
    case "union":
    case "enum": {
      const known = choicesOf(shape);
      const near = typeof given === "string" ? nearest(given, known) : undefined;
      const wrong = `${isNot(given, about.what)}; choose one of: ${known.join(", ")}`;
      return [wrong, configCommand("set", path, near ?? right)];
    }
    case "boolean":
      return [`${quoted(given)} is neither true nor false`, set];
    default:
      return about.isSecret === true
        ? describeSecret(path, given, about, check)
        : describeText(path, given, set, right, shape, about, check);
  }
}

/** The values of an enumeration, or of the discriminator of a union. */
export function choicesOf(shape: Shape): string[] {
  if (isUnion(shape)) return Object.keys(optionsOf(shape));
  return Object.values((shape as z.core.$ZodEnum)._zod.def.entries).map(String);
}

const inQuotes = "write it in quotes in the stack file, or";

function isNoText(kind: string): string {
  return `is a ${kind}, not text: without quotes YAML may have changed it`;
}

function describeText(
  path: string,
  given: unknown,
  set: string,
  right: string,
  shape: Shape,
  { what }: About,
  check?: Check,
): readonly [string, string] {
  const kind = shape._zod.def.type === "string" ? kindMade(given) : undefined;
  if (kind !== undefined) {
    const setAsText = configCommand("set --type string", path, right);
    return [`${JSON.stringify(given)} ${isNoText(kind)}`, `${inQuotes}: ${setAsText}`];
  }
  const text = String(given);
  return [check?.wrong?.(text) ?? isNot(given, what), check?.cure?.(path, text) ?? set];
}

/** The message does not quote the value. Pulumi leaves a secret of digits unchanged, so no `--type` is needed. */
function describeSecret(path: string, given: unknown, about: About, check?: Check): readonly [string, string] {
  const set = configCommand("set --secret", path);
  const kind = kindMade(given);
  if (kind !== undefined) return [isNoText(kind), `${inQuotes}: ${set}`];
  if (typeof given === "string" && given !== "") return [check?.wrong?.(given) ?? "is not text", set];
  if (given !== undefined && given !== "") return ["is not text", set];
  return about.leftOut === undefined
    ? [`is not set: ${about.what} is needed`, set]
    : ["is empty", `${set}, or leave it out ${about.leftOut}: ${configCommand("rm", path)}`];
}
