import type { RawSettings } from "./configuration.ts";

interface Image {
  /** The setting that names it. */
  readonly setting: string;
  /** The official image in an exact version, which is the default. */
  readonly reference: string;
  /** The recipe in airgap/ that builds it where it can't be pulled. */
  readonly recipe: string;
}

/** Every image that a stack runs. Each must satisfy `isExact`, in the settings and in the policy. */
export const images = {
  registry: { setting: "registryImage", reference: "registry:3.1.2", recipe: "registry" },
  proxy: { setting: "proxyImage", reference: "nginx:1.30.6-alpine", recipe: "nginx" },
} as const satisfies Record<string, Image>;

/** What a stack that names no other images runs. */
export const defaultImages: readonly string[] = Object.values(images).map(({ reference }) => reference);

/** The images that a stack runs. */
export function imagesOf(settings: RawSettings): string[] {
  return Object.values(images).map(({ setting, reference }) => settings[setting] ?? reference);
}

/** A digest, or a tag other than `latest`: what runs tomorrow is what ran today. */
export function isExact(reference: string): boolean {
  return /@sha256:[0-9a-f]{64}$|:(?!latest$)\w[\w.-]*$/.test(reference);
}

/** Whether a text is `[host[:port]/]path`, with `:tag`, `@sha256:digest` or both. */
export function isReference(text: string): boolean {
  return /^([\w.-]+(:\d+)?\/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/.test(text);
}
