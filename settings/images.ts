import type { RawSettings } from "./configuration.ts";

interface Image {
  /** The setting that names the image. */
  readonly setting: string;
  /** The default: the official image in an exact version. */
  readonly reference: string;
  /** The recipe in airgap/ that builds the image if it can't be pulled. */
  readonly recipe: string;
}

/** Every image that a stack runs. Each must satisfy `isExact`, in the settings and in the policy. */
export const images = {
  registry: { setting: "registryImage", reference: "registry:3.1.2", recipe: "registry" },
  proxy: { setting: "proxyImage", reference: "nginx:1.30.6-alpine", recipe: "nginx" },
} as const satisfies Record<string, Image>;

/** The images that a stack runs by default. */
export const defaultImages: readonly string[] = Object.values(images).map(({ reference }) => reference);

/** The images that a stack runs. */
export function imagesOf(settings: RawSettings): string[] {
  return Object.values(images).map(({ setting, reference }) => settings[setting] ?? reference);
}

/** Whether a reference has a digest or a tag other than `latest`, so that the same image runs tomorrow. */
export function isExact(reference: string): boolean {
  return /@sha256:[0-9a-f]{64}$|:(?!latest$)\w[\w.-]*$/.test(reference);
}

/** Whether a text is `[host[:port]/]path`, with `:tag`, `@sha256:digest` or both. */
export function isReference(text: string): boolean {
  return /^([\w.-]+(:\d+)?\/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/.test(text);
}
