import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileFunction } from "node:vm";

import * as pulumi from "@pulumi/pulumi";

/** A resource as the program asked for it; secret inputs unwrapped, their names in `secrets`. */
export interface Recorded {
  readonly type: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly secrets: readonly string[];
  readonly options: Options;
}

/** The engine's options for a resource, other resources by their logical names. */
interface Options {
  readonly provider: string;
  readonly parent: string;
  readonly dependsOn: readonly string[];
  readonly deletedWith: string;
  readonly protect: boolean;
  readonly deleteBeforeReplace: boolean;
  readonly secretOutputs: readonly string[];
  readonly ignoreChanges: readonly string[];
  /** How long its deletion may take, `10m`; empty: the provider's default. */
  readonly deleteTimeout: string;
}

/** The part of the program's registration of a resource that is read here. */
interface Registration {
  getProvider(): string;
  getParent(): string;
  getDependenciesList(): string[];
  getDeletedwith(): string;
  getProtect(): boolean;
  getDeletebeforereplace(): boolean;
  getAdditionalsecretoutputsList(): string[];
  getIgnorechangesList(): string[];
  getCustomtimeouts(): { getDelete(): string } | undefined;
}

interface Monitor {
  registerResource: (request: Registration, answer: unknown) => unknown;
}

function optionsOf(request: Registration): Options {
  const nameOf = (urn: string) => urn.split("::")[3] ?? "";
  return {
    provider: nameOf(request.getProvider()),
    parent: nameOf(request.getParent()),
    dependsOn: request.getDependenciesList().map(nameOf).sort(),
    deletedWith: nameOf(request.getDeletedwith()),
    protect: request.getProtect(),
    deleteBeforeReplace: request.getDeletebeforereplace(),
    secretOutputs: request.getAdditionalsecretoutputsList(),
    ignoreChanges: request.getIgnorechangesList(),
    deleteTimeout: request.getCustomtimeouts()?.getDelete() ?? "",
  };
}

/** A secret property as it is sent to the engine. */
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
const signatureKey = "4dabf18193072939515e22adb298388d";

function isSecret(value: unknown): value is { value: unknown } {
  return (
    typeof value === "object" && value !== null && (value as Record<string, unknown>)[signatureKey] === secretSignature
  );
}

function unwrap(value: unknown): unknown {
  if (isSecret(value)) return unwrap(value.value);
  if (Array.isArray(value)) return value.map(unwrap);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, unwrap(inner)]));
  }
  return value;
}

type Outputs = (inputs: Readonly<Record<string, unknown>>, name: string) => Record<string, unknown>;

/** The providers' computed outputs, by type and by function, for a test that needs them. */
export type ProviderOutputs = Readonly<Record<string, Outputs>>;

/**
 * Runs `build` without an engine, in an empty folder, and records every resource that it registers. Ids are `NAME-id`,
 * if none is computed.
 */
export async function record<T>(
  build: () => T | Promise<T>,
  computed: ProviderOutputs = {},
): Promise<{ built: T; resources: Recorded[] }> {
  const resources: Recorded[] = [];
  let options: Options;
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        const raw = inputs as Record<string, unknown>;
        const plain = unwrap(raw) as Record<string, unknown>;
        const secrets = Object.keys(raw).filter((key) => isSecret(raw[key]));
        resources.push({ type, name, inputs: plain, secrets, options });
        const state = { id: `${name}-id`, ...raw, ...computed[type]?.(plain, name) };
        return { id: state.id, state };
      },
      call: ({ token, inputs }) => {
        const given = inputs as Record<string, unknown>;
        return { ...given, ...computed[token]?.(given, token) };
      },
    },
    "private-registry",
    "test",
    false,
  );
  // The mocks don't get the options; they are called at once.
  const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, answer) => {
    options = optionsOf(request);
    return register(request, answer);
  };
  const project = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), "program-"));
  process.chdir(folder);
  try {
    const built = await build();
    await pulumi.runtime.disconnect();
    return { built, resources };
  } finally {
    process.chdir(project);
    rmSync(folder, { recursive: true });
  }
}

/** The provider of a dynamic resource, loaded from its text in the state, as Pulumi does. */
export function providerOf<T>({ inputs }: Recorded): Required<pulumi.dynamic.ResourceProvider<T, T>> {
  const exported: { handler?: () => Required<pulumi.dynamic.ResourceProvider<T, T>> } = {};
  const module = compileFunction(String(inputs["__provider"]), ["exports", "require"]) as (...given: unknown[]) => void;
  module(exported, createRequire(join(process.cwd(), "index.ts")));
  if (exported.handler === undefined) throw new Error("no provider came out of its text");
  return exported.handler();
}

/** The one resource of a type and name. */
export function find(resources: readonly Recorded[], type: string, name: string): Recorded {
  const found = resources.filter((resource) => resource.type === type && resource.name === name);
  if (found.length !== 1 || !found[0]) {
    const there = resources.map((resource) => `${resource.type} ${resource.name}`).join("\n");
    throw new Error(`${String(found.length)} resources ${type} ${name} among\n${there}`);
  }
  return found[0];
}

/** The value of an output, and whether it is secret. */
export async function resolve<T>(output: pulumi.Output<T>): Promise<{ value: T; secret: boolean }> {
  const value = await (output as unknown as { promise(): Promise<T> }).promise();
  return { value, secret: await pulumi.isSecret(output) };
}
