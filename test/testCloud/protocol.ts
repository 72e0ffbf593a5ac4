import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

import * as grpc from "@grpc/grpc-js";
import plugins from "@pulumi/pulumi/proto/plugin_pb.js";
import services, { type IResourceProviderServer } from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import messages from "@pulumi/pulumi/proto/provider_pb.js";
import empties from "google-protobuf/google/protobuf/empty_pb.js";
import structs, { type JavaScriptValue, type Struct } from "google-protobuf/google/protobuf/struct_pb.js";

import { messageOf } from "../../components/userError.ts";
import { AnswerLost, type Faults } from "./faults.ts";
import { type AnyKind, type Call, type Provider, Refusal } from "./kinds.ts";

type Properties = Record<string, unknown>;

/** Stands for an unknown value. */
const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** The input that lists, as in the real plugins, which other inputs were filled in. */
const defaultsKey = "__defaults";

/** What the engine adds to a provider's own settings. */
const engineSettings = ["version", "pluginDownloadURL", "__internal"];

/**
 * One plugin of one run, as the engine sees it: the gRPC service, thinly wrapped. Secrets arrive in the clear, as with
 * the real plugins, and the engine marks what comes back.
 */
export class PluginServer {
  private readonly server = new grpc.Server();
  private askCredentials: () => void = () => undefined;
  private readonly provider: Provider;
  private readonly version: string;
  private readonly env: ReadonlyMap<string, string>;
  private readonly faults: Faults;
  private readonly onLost: () => void;

  /**
   * @param env The environment of the run.
   * @param onLost Ends the process that stands for the plugin.
   */
  constructor(
    provider: Provider,
    version: string,
    env: ReadonlyMap<string, string>,
    faults: Faults,
    onLost: () => void,
  ) {
    this.provider = provider;
    this.version = version;
    this.env = env;
    this.faults = faults;
    this.onLost = onLost;
    this.server.addService(services.ResourceProviderService, this.handlers());
  }

  /** Starts to listen; returns the port. */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
  }

  /** Breaks every connection. */
  stop(): void {
    this.server.forceShutdown();
  }

  private handlers(): Partial<IResourceProviderServer> & grpc.UntypedServiceImplementation {
    const empty = () => new empties.Empty();
    return {
      getPluginInfo: this.answer(() => new plugins.PluginInfo().setVersion(this.version)),
      attach: this.answer(empty),
      cancel: this.answer(empty),
      checkConfig: this.answer((request: messages.CheckRequest) => this.checkConfig(request)),
      diffConfig: this.answer((request: messages.DiffRequest) => diffConfig(request)),
      configure: this.answer((request: messages.ConfigureRequest) => this.configure(request)),
      check: this.answer((request: messages.CheckRequest) => this.check(request)),
      diff: this.answer((request: messages.DiffRequest) => this.diff(request)),
      create: this.answer((request: messages.CreateRequest) => this.create(request)),
      read: this.answer((request: messages.ReadRequest) => this.read(request)),
      update: this.answer((request: messages.UpdateRequest) => this.update(request)),
      delete: this.answer((request: messages.DeleteRequest) => this.delete(request)),
      invoke: this.answer((request: messages.InvokeRequest) => this.invoke(request)),
    };
  }

  private answer<Request, Response>(
    handle: (request: Request) => Response | Promise<Response>,
  ): grpc.handleUnaryCall<Request, Response> {
    return ({ request }, callback) => {
      // An async function, so that an exception is a rejection, too.
      const answered = (async () => handle(request))();
      answered.then(
        (response) => callback(null, response),
        (error: unknown) => {
          if (error instanceof AnswerLost) this.onLost();
          const details = messageOf(error);
          callback({ code: grpc.status.UNKNOWN, details });
        },
      );
    };
  }

  private checkConfig(request: messages.CheckRequest): messages.CheckResponse {
    const known = [...this.provider.settings, ...engineSettings];
    // The struct itself goes back: secrets in it are wrapped.
    return failures(strangersIn(read(request.getNews()), known)).setInputs(request.getNews());
  }

  private configure(request: messages.ConfigureRequest): messages.ConfigureResponse {
    const settings = new Map<string, string>();
    request.getVariablesMap().forEach((value, key) => settings.set(key.split(":").at(-1) ?? "", value));
    this.askCredentials = this.provider.signIn({ settings, env: this.env });
    return new messages.ConfigureResponse().setSupportspreview(true);
  }

  private check(request: messages.CheckRequest): messages.CheckResponse {
    const urn = request.getUrn();
    const { definition } = this.kindOf(urn);
    const { replacedBy, changedBy, autoName } = definition;
    const news = read(request.getNews());
    const found = [...strangersIn(news, [...replacedBy, ...changedBy]), ...strangersWithin(news, definition.within)];
    if (autoName !== undefined && news[autoName] === undefined) {
      news[autoName] = read(request.getOlds())[autoName] ?? `${nameOf(urn)}-${randomBytes(4).toString("hex").slice(1)}`;
      news[defaultsKey] = [autoName];
    }
    return failures(found).setInputs(write(news));
  }

  private diff(request: messages.DiffRequest): messages.DiffResponse {
    const { definition } = this.kindOf(request.getUrn());
    const olds = read(request.getOldInputs());
    const news = read(request.getNews());
    const differ = differing(olds, news).filter((name) => name !== defaultsKey);
    const replacedToo = differ.length > 0 ? (definition.compare?.(olds, news) ?? []) : [];
    const replaces = [...differ.filter((name) => definition.replacedBy.includes(name)), ...replacedToo];
    return new messages.DiffResponse()
      .setChanges(changesOf(differ))
      .setDiffsList(differ)
      .setReplacesList(replaces)
      .setDeletebeforereplace(keepsName(definition.autoName, olds, news));
  }

  private async create(request: messages.CreateRequest): Promise<messages.CreateResponse> {
    const inputs = read(request.getProperties());
    const kind = this.kindOf(request.getUrn());
    if (request.getPreview()) {
      const computed = Object.fromEntries(kind.definition.computed.map((name) => [name, unknown]));
      return new messages.CreateResponse().setProperties(write({ ...computed, ...known(inputs) }));
    }
    const thing = await this.ask("create", request.getUrn(), () => kind.create(known(inputs)));
    return new messages.CreateResponse().setId(thing.id).setProperties(tell(thing));
  }

  /** A resource that is gone has no id. */
  private async read(request: messages.ReadRequest): Promise<messages.ReadResponse> {
    const kind = this.kindOf(request.getUrn());
    const thing = await this.ask("read", request.getUrn(), () => kind.get(request.getId()));
    if (thing === undefined) return new messages.ReadResponse();
    const defaults = read(request.getInputs())[defaultsKey];
    const inputs: Properties = { ...(thing.inputs as Properties), [defaultsKey]: defaults };
    return new messages.ReadResponse().setId(thing.id).setProperties(tell(thing)).setInputs(write(inputs));
  }

  private async update(request: messages.UpdateRequest): Promise<messages.UpdateResponse> {
    const inputs = known(read(request.getNews()));
    if (request.getPreview()) {
      return new messages.UpdateResponse().setProperties(write({ ...read(request.getOlds()), ...inputs }));
    }
    const kind = this.kindOf(request.getUrn());
    const thing = await this.ask("update", request.getUrn(), async () => {
      const updated = await kind.update(request.getId(), inputs);
      if (updated === undefined) throw new Refusal("404", "The resource you were accessing could not be found.");
      return updated;
    });
    return new messages.UpdateResponse().setProperties(tell(thing));
  }

  private async delete(request: messages.DeleteRequest): Promise<empties.Empty> {
    const kind = this.kindOf(request.getUrn());
    await this.ask("delete", request.getUrn(), () => kind.delete(request.getId()));
    return new empties.Empty();
  }

  private async invoke(request: messages.InvokeRequest): Promise<messages.InvokeResponse> {
    const token = request.getTok();
    const look = this.provider.functions[token];
    if (look === undefined) throw new Error(`the cloud for tests has no function ${token}`);
    const found = await this.askFor({ verb: "invoke", token }, () => look(read(request.getArgs())));
    return new messages.InvokeResponse().setReturn(write(found));
  }

  private ask<Result>(verb: Call["verb"], urn: string, act: () => Result | Promise<Result>): Promise<Result> {
    return this.askFor({ verb, token: typeOf(urn) }, act);
  }

  /** A call that reaches the cloud: credentials, then its fault if it has one, then the call itself. */
  private async askFor<Result>(call: Call, act: () => Result | Promise<Result>): Promise<Result> {
    try {
      return await this.faults.around(`${call.verb} ${call.token}`, () => {
        this.askCredentials();
        return act();
      });
    } catch (error) {
      throw error instanceof Refusal ? new Error(this.provider.explain(call, error)) : error;
    }
  }

  private kindOf(urn: string): AnyKind {
    const kind = this.provider.kinds[typeOf(urn)];
    if (kind === undefined) throw new Error(`the cloud for tests has no ${typeOf(urn)}`);
    return kind;
  }
}

function diffConfig(request: messages.DiffRequest): messages.DiffResponse {
  const differ = differing(read(request.getOldInputs()), read(request.getNews()));
  return new messages.DiffResponse().setChanges(changesOf(differ)).setDiffsList(differ);
}

function changesOf(differ: readonly string[]): messages.DiffResponse.DiffChanges {
  const { DIFF_NONE, DIFF_SOME } = messages.DiffResponse.DiffChanges;
  return differ.length === 0 ? DIFF_NONE : DIFF_SOME;
}

function differing(olds: Properties, news: Properties): string[] {
  const names = [...new Set([...Object.keys(olds), ...Object.keys(news)])];
  return names.filter((name) => !isDeepStrictEqual(olds[name], news[name]));
}

/** Two resources can't share a name that the program chose, so the old one is deleted first. */
function keepsName(autoName: string | undefined, olds: Properties, news: Properties): boolean {
  return autoName !== undefined && news[defaultsKey] === undefined && olds[autoName] === news[autoName];
}

function strangersIn(given: Properties, known: readonly string[], where = ""): string[] {
  return Object.keys(given)
    .filter((name) => !known.includes(name))
    .map((name) => where + name);
}

function strangersWithin(news: Properties, within: Partial<Record<string, readonly string[]>> = {}): string[] {
  return Object.entries(within).flatMap(([name, inner = []]) =>
    [news[name] ?? []].flat().flatMap((item) => (isObject(item) ? strangersIn(item, inner, `${name}.`) : [])),
  );
}

function isObject(value: unknown): value is Properties {
  return typeof value === "object" && value !== null;
}

function failures(strangers: readonly string[]): messages.CheckResponse {
  const list = strangers.map((name) =>
    new messages.CheckFailure().setProperty(name).setReason(`the cloud for tests knows no property ${name}`),
  );
  return new messages.CheckResponse().setFailuresList(list);
}

function read(struct: Struct | undefined): Properties {
  return struct?.toJavaScript() ?? {};
}

/** JSON first, as a struct can't hold what is undefined. */
function write(properties: object): Struct {
  return structs.Struct.fromJavaScript(JSON.parse(JSON.stringify(properties)) as Record<string, JavaScriptValue>);
}

function tell(thing: { readonly inputs: object; readonly state: object }): Struct {
  return write({ ...thing.inputs, ...thing.state });
}

function known(inputs: Properties): Properties {
  return Object.fromEntries(Object.entries(inputs).filter(([name]) => name !== defaultsKey));
}

/** `urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME` */
function typeOf(urn: string): string {
  return urn.split("::")[2]?.split("$").at(-1) ?? "";
}

function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}
