// Renders the files generated from the schema: the `config` of Pulumi.yaml and the tables of docs/settings.md.

import { readFileSync } from "node:fs";

import { format, resolveConfig } from "prettier";
import type * as z from "zod/mini";

import { typed } from "./json.ts";
import { type About, abouts } from "./kinds.ts";
import { hosts, settings } from "./schema.ts";
import { choicesOf, isArray, isObject, isScalar, isUnion, optionsOf, unwrap } from "./shape.ts";

type Shape = z.core.$ZodType;

const renderers = { "Pulumi.yaml": renderProject, "docs/settings.md": renderPage } as const;

/** The files with a part that is generated from the schema. */
export const generated = Object.keys(renderers) as (keyof typeof renderers)[];

/** A file as it is and as it should be. */
export async function readGenerated(file: keyof typeof renderers): Promise<{ text: string; fresh: string }> {
  const text = readFileSync(file, "utf8");
  return { text, fresh: await format(renderers[file](text), { ...(await resolveConfig(file)), filepath: file }) };
}

const shapes: Readonly<Record<string, Shape>> = settings.shape;

/** A setting, or a part of one. */
interface Part {
  /** `users[0].name` */
  readonly path: string;
  readonly shape: Shape;
  /** The targets, modes or providers that have it; empty if all do. */
  readonly only: readonly string[];
}

/** Pulumi.yaml with its scalar settings. A list, object or secret can't be declared there without being required. */
function renderProject(text: string): string {
  const [head = ""] = text.split(/^config:$/m);
  const scalars = Object.entries(shapes).filter(([, shape]) => isScalar(shape));
  return `${head}config:\n${scalars.map(([key, shape]) => renderDeclaration(key, shape)).join("")}`;
}

const pulumiTypes: Readonly<Record<string, string>> = { number: "integer", boolean: "boolean" };

function renderDeclaration(key: string, shape: Shape): string {
  const { core, fallback = "" } = unwrap(shape);
  const { meaning, without, change } = aboutOf(shape);
  const description = [
    meaning,
    ...(without === undefined ? [] : [`Default: ${without}.`]),
    ...(change === undefined ? [] : [`A change ${change}.`]),
  ];
  return [
    `  ${key}:`,
    `    type: ${pulumiTypes[core._zod.def.type] ?? "string"}`,
    `    default: ${fallback === "" ? '""' : typed(fallback)}`,
    `    description: ${JSON.stringify(description.join(" ").replaceAll("`", ""))}`,
    "",
  ].join("\n");
}

const table = /(<!-- settings: (.*) -->\n)[^]*?(<!-- end -->)/g;

/** docs/settings.md with a table after each `<!-- settings: … -->`, which lists the settings of the table. */
function renderPage(text: string): string {
  return text.replace(
    table,
    (_, begin: string, names: string, end: string) => `${begin}\n${renderTable(names.split(" "))}\n${end}`,
  );
}

/** The settings that are in no table of docs/settings.md. */
export function notInPage(text: string): string[] {
  const shown = Array.from(text.matchAll(table), ([, , names = ""]) => names.split(" ")).flat();
  return Object.keys(shapes).filter((key) => !shown.includes(key));
}

function renderTable(keys: readonly string[]): string {
  const rows = [
    ["Key", "Type", "Default", "Meaning", "Example", "A change"],
    Array<string>(6).fill("---"),
    ...keys.flatMap((key) => partsOf(key).map((part) => renderRow(part, aboutOf(shapeOf(key))))),
  ];
  return rows.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

/** @param whole The setting that it is a part of. */
function renderRow({ path, shape, only }: Part, whole: About): string[] {
  const { core, fallback, isOptional } = unwrap(shape);
  const { meaning, without, change, example, isSecret } = aboutOf(shape);
  const type = typeOf(core);
  return [
    [`\`${path}\``, ...(only.length === 0 ? [] : [only.join(", ")])].join("<br>"),
    isSecret === true ? `secret ${type}` : type,
    without ?? (fallback === undefined ? (isOptional === true ? "none" : "must be set") : `\`${typed(fallback)}\``),
    meaning,
    isSecret === true ? "by `--secret`" : example === undefined ? "below" : `\`${example}\``,
    change ?? whole.change ?? "",
  ];
}

function typeOf(core: Shape): string {
  if (isUnion(core)) {
    const options = choicesOf(core).map((option) => `\`${option}\``);
    return `object, \`${core._zod.def.discriminator}\`: ${options.join(", ")}`;
  }
  if (isArray(core)) return isScalar(core._zod.def.element) ? "list of texts" : "list of objects";
  switch (core._zod.def.type) {
    case "string":
      return "text";
    case "number": {
      const { what } = aboutOf(core);
      return what.startsWith("a whole number") ? what.replace("a ", "") : "whole number";
    }
    case "boolean":
      return "`true` or `false`";
    case "enum":
      return choicesOf(core)
        .map((option) => `\`${option}\``)
        .join(", ");
    default:
      return "object";
  }
}

function aboutOf(shape: Shape): About {
  const about = abouts.get(unwrap(shape).core as never);
  if (about === undefined) throw new Error("a setting has no description");
  return about;
}

function shapeOf(key: string): Shape {
  const shape = shapes[key];
  if (shape === undefined) throw new Error(`there is no setting ${key}`);
  return shape;
}

/** A setting and all its parts. A part with several meanings, by target, mode or provider, is listed once for each. */
function partsOf(path: string, shape = shapeOf(path), only: readonly string[] = []): Part[] {
  const { core } = unwrap(shape);
  const inner = isArray(core) ? unwrap(core._zod.def.element).core : core;
  const prefix = isArray(core) ? `${path}[0]` : path;
  const options = path === "host" ? hosts : isUnion(inner) ? optionsOf(inner) : undefined;
  const own = isObject(inner) ? Object.entries(inner._zod.def.shape) : [];
  const parts =
    options === undefined
      ? own.map(([name, part]) => ({ name, part, having: [] }))
      : partsOfOptions(options).map(({ name, shape: part, only: having }) => ({ name, part, having }));
  return [
    { path, shape, only },
    ...parts.flatMap(({ name, part, having }) =>
      partsOf(`${prefix}.${name}`, part, having.length === 0 ? only : having),
    ),
  ];
}

function partsOfOptions(options: Readonly<Record<string, z.core.$ZodObject>>) {
  const all = Object.entries(options).flatMap(([option, object]) =>
    Object.entries(object._zod.def.shape).map(([name, shape]) => ({ option, name, shape })),
  );
  // The discriminator is described with the setting itself.
  const parts = all.filter(({ shape }) => shape._zod.def.type !== "literal");
  return [...new Set(parts.map(({ shape }) => shape))].map((shape) => {
    const having = parts.filter((part) => part.shape === shape);
    const only = having.map(({ option }) => option);
    const name = having[0]?.name ?? "";
    return { name, shape, only: only.length === Object.keys(options).length ? [] : only };
  });
}

/** The settings and parts that appear in no stack file, neither set nor as an example. */
export function notShown(stackFiles: readonly string[]): string[] {
  const paragraphs = stackFiles.flatMap((text) => text.split("\n\n"));
  return Object.keys(shapes)
    .flatMap((key) => partsOf(key).map((part) => ({ key, ...part })))
    .filter(({ key, path, only }) => {
      const name = path.includes(".") ? path.split(".").at(-1) : undefined;
      const about = paragraphs.filter((text) => text.includes(`private-registry:${key}:`));
      const isShown = (text: string) => name === undefined || new RegExp(`\\b${name}:|\`${name}\``).test(text);
      const variants = key === "host" ? only.map((target) => `private-registry:target: ${target}`) : [""];
      return !variants.every((variant) => about.some((text) => text.includes(variant) && isShown(text)));
    })
    .map(({ path }) => path);
}
