import * as pulumi from "@pulumi/pulumi";

/** A resource as the program asked for it; secret inputs unwrapped, their names in `secrets`. */
export interface Recorded {
  readonly type: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly secrets: readonly string[];
}

/** A property as it travels to the engine when it is secret. */
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

/** What the providers would compute, by type and by function, for a test that needs it. */
export type ProviderOutputs = Readonly<Record<string, Outputs>>;

/** Runs `build` without an engine and records every resource that it asks for. Ids are `NAME-id`. */
export async function record<T>(
  build: () => T,
  computed: ProviderOutputs = {},
): Promise<{ built: T; resources: Recorded[] }> {
  const resources: Recorded[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        const raw = inputs as Record<string, unknown>;
        const plain = unwrap(raw) as Record<string, unknown>;
        resources.push({ type, name, inputs: plain, secrets: Object.keys(raw).filter((key) => isSecret(raw[key])) });
        return { id: `${name}-id`, state: { ...raw, ...computed[type]?.(plain, name) } };
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
  const built = build();
  await pulumi.runtime.disconnect();
  return { built, resources };
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
