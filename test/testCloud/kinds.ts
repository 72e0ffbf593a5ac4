import type { Output, Unwrap } from "@pulumi/pulumi";

/** A program's inputs for a resource, with the SDK's own arguments. */
export type Inputs<Args> = Unwrap<Args>;

/** A resource's outputs, with the SDK's own names. */
export type State<Resource> = {
  -readonly [Name in keyof Resource as Resource[Name] extends Output<unknown> ? Name : never]?: Unwrap<Resource[Name]>;
};

/** A resource that a cloud has. */
export interface Thing<Args, Resource> {
  readonly id: string;
  inputs: Inputs<Args>;
  /** What the cloud returns beyond the inputs; changes with the cloud. */
  state: State<Resource>;
}

/** How a cloud treats one kind of resource. Inputs that are not named here are refused. */
export interface Definition<Args, Resource> {
  /** Its name in the cloud's own error messages. */
  readonly noun: string;
  readonly replacedBy: readonly (keyof Args & string)[];
  readonly changedBy: readonly (keyof Args & string)[];
  /** The names that it knows inside of inputs which are objects or lists of them. */
  readonly within?: Partial<Record<keyof Args, readonly string[]>>;
  /** The input that is filled in when a program leaves it out. */
  readonly autoName?: keyof Args & string;
  /** The outputs that are unknown until it is created. */
  readonly computed: readonly (keyof State<Resource> & string)[];
  /** The inputs whose values replace it; throws if the cloud refuses the change. */
  compare?(olds: Inputs<Args>, news: Inputs<Args>): (keyof Args & string)[];
  create(inputs: Inputs<Args>): Promise<{ id: string; state: State<Resource> }>;
  /** Called before the resource has its new inputs. */
  update?(thing: Thing<Args, Resource>, inputs: Inputs<Args>): Promise<void>;
  delete?(thing: Thing<Args, Resource>): Promise<void>;
  /** Its plugin's error if a resource to delete is already gone. Default: none. */
  gone?(): Refusal;
}

/** One kind of resource, and all of its resources in the cloud. */
export class Kind<Args, Resource> {
  private readonly things = new Map<string, Thing<Args, Resource>>();
  readonly definition: Definition<Args, Resource>;

  constructor(definition: Definition<Args, Resource>) {
    this.definition = definition;
  }

  get all(): Thing<Args, Resource>[] {
    return [...this.things.values()];
  }

  /** A resource by its id, which may come as a number. */
  get(id: unknown): Thing<Args, Resource> | undefined {
    return this.things.get(String(id));
  }

  async create(inputs: Inputs<Args>): Promise<Thing<Args, Resource>> {
    const thing = { inputs, ...(await this.definition.create(inputs)) };
    this.things.set(thing.id, thing);
    return thing;
  }

  async update(id: string, inputs: Inputs<Args>): Promise<Thing<Args, Resource> | undefined> {
    const thing = this.get(id);
    if (thing === undefined) return undefined;
    await this.definition.update?.(thing, inputs);
    thing.inputs = inputs;
    return thing;
  }

  async delete(id: string): Promise<void> {
    const thing = this.get(id);
    if (thing === undefined) {
      if (this.definition.gone) throw this.definition.gone();
      return;
    }
    await this.definition.delete?.(thing);
    this.things.delete(id);
  }
}

/** Names of the SDK's own types, for `within`. */
export function names<Type>(...names: (keyof Type & string)[]): (keyof Type & string)[] {
  return names;
}

/** The cloud's refusal: a status or code, and a message. */
export class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A kind whose types don't matter, as the protocol has it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyKind = Kind<any, any>;

/** What a plugin offers to the engine. */
export interface Provider {
  /** Its own settings. */
  readonly settings: readonly string[];
  readonly kinds: Readonly<Record<string, AnyKind>>;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly functions: Readonly<Record<string, (args: any) => object>>;
  /** Checks the credentials; called by the engine once a run. The returned function is called before every call. */
  signIn(credentials: Credentials): () => void;
  /** The message of a refusal to the program. */
  explain(call: Call, refusal: Refusal): string;
}

export interface Credentials {
  readonly settings: ReadonlyMap<string, string>;
  /** The environment of the run. */
  readonly env: ReadonlyMap<string, string>;
}

export interface Call {
  readonly verb: "create" | "read" | "update" | "delete" | "invoke";
  readonly token: string;
}
