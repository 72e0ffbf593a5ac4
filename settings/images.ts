import type { RawSettings } from "./configuration.ts";
import { readJson } from "./json.ts";

interface Image {
  /** The setting that names the image. */
  readonly setting: string;
  /** The default: the official image in an exact version. */
  readonly reference: string;
  /** The recipe in airgap/ that builds the image if it can't be pulled. */
  readonly recipe: string;
  /** The parts of which a stack must have one to run it. Default: every stack does. */
  readonly only?: readonly Part[];
}

/** A part of a stack that runs images of its own: a certificate that an authority issues, or the care of the data. */
type Part = "acme" | "care";

/** Every image that a stack may run. Each must satisfy `isExact`, in the settings and in the policy. */
export const images = {
  registry: { setting: "registryImage", reference: "registry:3.1.2", recipe: "registry" },
  proxy: { setting: "proxyImage", reference: "nginx:1.30.6-alpine", recipe: "nginx" },
  lego: { setting: "legoImage", reference: "goacme/lego:v4.35.2", recipe: "lego", only: ["acme"] },
  node: { setting: "nodeImage", reference: "node:24.21.0-alpine", recipe: "node", only: ["acme", "care"] },
} as const satisfies Record<string, Image>;

/** The default of each image. */
export const defaultImages: readonly string[] = Object.values(images).map(({ reference }) => reference);

/** The images that a stack runs. */
export function imagesOf(settings: RawSettings): string[] {
  const { mode } = (readJson(settings["certificate"] ?? "{}") ?? {}) as { readonly mode?: unknown };
  const parts: Part[] = [
    ...(mode === "acme" ? (["acme"] as const) : []),
    ...(settings["care"] === undefined ? [] : (["care"] as const)),
  ];
  return Object.values<Image>(images)
    .filter(({ only }) => only?.some((part) => parts.includes(part)) ?? true)
    .map(({ setting, reference }) => settings[setting] ?? reference);
}

/** Whether a reference has a digest or a tag other than `latest`, so that the same image runs tomorrow. */
export function isExact(reference: string): boolean {
  return /@sha256:[0-9a-f]{64}$|:(?!latest$)\w[\w.-]*$/.test(reference);
}

/** Whether a text is `[host[:port]/]path`, with `:tag`, `@sha256:digest` or both. */
export function isReference(text: string): boolean {
  return /^([\w.-]+(:\d+)?\/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/.test(text);
}
