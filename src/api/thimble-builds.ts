import { defined, Fault, faultOf } from "#base";
import {
  type BuildContext,
  type BuildEvent,
  type Builder,
  type CacheRepository,
  checkOutputs,
  readAttestations,
  StepFault,
} from "#engine";
import { familiarString } from "#image";
import type { BuildFailure, BuildMessage } from "#wire";
import { bodyOptions, namedContexts, type ParsedBuild, tagOf } from "./build-body.ts";
import { cacheExports, cacheReaders } from "./build-caches.ts";
import { BuildEntries } from "./build-entries.ts";
import { buildMessage } from "./build-message.ts";
import { makeOutputs, type NamedOutput } from "./build-outputs.ts";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { requestCredentials } from "./registry-auth.ts";
import type { Route } from "./router.ts";

const root = "/thimble/v1/build";
const TAR = "application/x-tar";

/** Builds as thimble's own client asks for them. */
export function thimbleBuildRoutes(context: ApiContext): readonly Route[] {
  const entries = new BuildEntries();
  return [
    {
      method: "POST",
      pattern: `${root}/contexts`,
      handle: (exchange) => beginContext(context, exchange),
    },
    {
      method: "PUT",
      pattern: `${root}/contexts/:id`,
      handle: (exchange) => fillContext(context, exchange),
    },
    {
      method: "GET",
      pattern: `${root}/exports/:id`,
      handle: (exchange) => fetchExport(context, exchange),
    },
    {
      method: "POST",
      pattern: `${root}/entries/:id`,
      handle: (exchange) => entries.enter(context, exchange),
      upgrade: "tcp",
    },
    {
      method: "POST",
      pattern: `${root}/entries/:id/resize`,
      handle: (exchange) => entries.resize(exchange),
    },
    { method: "POST", pattern: root, handle: (exchange) => build(context, entries, exchange) },
  ];
}

/** With a key the list of a directory; without one a tar of a whole context. */
async function beginContext({ engine, schemas }: ApiContext, exchange: Exchange): Promise<void> {
  const { key } = schemas.contextQuerySchema.parse({ key: exchange.query.text("key") });
  const builder = await engine.builds.builder();
  if (key === undefined) {
    const context = await builder.archives.fromArchive(exchange.body);
    const id = builder.sent.add(whole(context));
    exchange.sendJson(200, { id, wanted: [] });
    return;
  }
  const transfer = await builder.contexts.begin(key, exchange.body, exchange.signal);
  const wanted = [...transfer.wanted];
  exchange.sendJson(200, { id: builder.sent.add(transfer), wanted });
}

/** A context of which nothing more has to come. */
function whole(context: BuildContext): Parameters<Builder["sent"]["add"]>[0] {
  return {
    wanted: new Uint32Array(),
    fill: async () => {
      throw new Fault("conflict", "the context has all of its files already");
    },
    take: () => context,
    [Symbol.asyncDispose]: () => context[Symbol.asyncDispose](),
  };
}

async function fillContext({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const builder = await engine.builds.builder();
  await builder.sent.get(exchange.param("id")).fill(exchange.body);
  exchange.sendEmpty(204);
}

async function fetchExport({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const builder = await engine.builds.builder();
  await using made = builder.exports.take(exchange.param("id"));
  await exchange.stream(TAR, made.stream());
}

async function build(
  { engine, schemas }: ApiContext,
  entries: BuildEntries,
  exchange: Exchange,
): Promise<void> {
  const body = await exchange.json(schemas.buildBodySchema, { required: true });
  const options = bodyOptions(body);
  const attestations = readAttestations(Object.entries(body.attestations));
  // A step that is entered is all that is wanted.
  const outputs = body.entry === undefined ? outputsOf(body) : [];
  checkOutputs(outputs, { platforms: options.platforms?.length ?? 0, attestations });
  const builder = await engine.builds.builder();
  await using contexts = new AsyncDisposableStack();
  const take = (id: string) => builder.sent.take(id).take();
  const cacheTo = cacheExports(body);
  const credentials = requestCredentials(exchange, "");
  const registry = (cache: CacheRepository) => engine.builds.registryCache(cache, credentials);
  const cacheFrom = cacheReaders(body, {
    layout: (id, cache) => builder.layoutCache(contexts.use(take(id)).directory, cache),
    registry,
  });
  const { signal } = exchange;
  const { context, dockerfile } = await contextOf(builder, body, { take, signal });
  if (context) contexts.use(context);
  const named = await namedContexts(body, {
    sent: (id) => contexts.use(take(id)),
    fetched: async (url) => contexts.use(await builder.remoteFiles(url, signal)),
    layoutOf: (files) => builder.layoutOf(files),
  });
  const { text, ignore } = await filesOf(builder, { ...body, ...defined({ dockerfile }) }, context);
  exchange.begin("application/json");
  const messages = new MessageLines(exchange);
  const send = (message: BuildMessage) => messages.add(message);
  const report = (event: BuildEvent) => {
    const message = buildMessage(event);
    if (message) send(message);
  };
  try {
    const outcome = await builder.build({
      ...options,
      ...{ credentials, cacheFrom },
      hasInlineCache: cacheTo.some(({ kind }) => kind === "inline"),
      dockerfile: { text, name: body.dockerfileName },
      ...{ context, contexts: named, ignore, signal, report },
      ...((body.enter || body.entry !== undefined) && {
        enter: (step, failure) => entries.offer(step, { send, failure, signal }),
      }),
    });
    const push = { images: engine.images, credentials };
    const work = { builder, outcome, report, signal };
    send(
      await makeOutputs({ ...work, outputs, attestations, push, caches: { cacheTo, registry } }),
    );
  } catch (error) {
    send(failureOf(error));
  }
  messages.end();
}

/** Messages as lines. Those of one turn go in one write: a build whose steps are all cached tells hundreds at once. */
class MessageLines {
  readonly #exchange: Exchange;
  #waiting = "";

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  add(message: BuildMessage): void {
    if (this.#waiting === "") setImmediate(() => this.#flush());
    this.#waiting += `${JSON.stringify(message)}\n`;
  }

  end(): void {
    this.#flush();
    this.#exchange.response.end();
  }

  #flush(): void {
    const { response, signal } = this.#exchange;
    if (this.#waiting !== "" && !signal.aborted) response.write(this.#waiting);
    this.#waiting = "";
  }
}

/** Without an output the image is kept under its names, as with docker. */
function outputsOf({ outputs, tags }: ParsedBuild): readonly NamedOutput[] {
  const usual: ParsedBuild["outputs"] = [{ type: "image", attributes: {} }];
  return (outputs.length > 0 ? outputs : usual).map(({ type, attributes }) => {
    const own = (attributes.name ?? "").split(",").filter(Boolean);
    const names = new Map([...tags, ...own].map(tagOf).map((tag) => [familiarString(tag), tag]));
    return { type, attributes: new Map(Object.entries(attributes)), names: [...names.values()] };
  });
}

/** Files that were sent, or that the engine fetches. */
async function contextOf(
  builder: Builder,
  { context, dockerfile }: Pick<ParsedBuild, "context" | "dockerfile">,
  { take, signal }: { take: (id: string) => BuildContext; signal: AbortSignal },
): Promise<{
  readonly context?: BuildContext | undefined;
  readonly dockerfile?: string | undefined;
}> {
  if (context === null) return { dockerfile };
  if (typeof context === "string") return { context: take(context), dockerfile };
  const remote = await builder.remoteContext(context.remote, signal);
  return { context: remote.context, dockerfile: dockerfile ?? remote.dockerfile };
}

/** The text of the Dockerfile and of the .dockerignore that goes with it. */
async function filesOf(
  builder: Builder,
  body: ParsedBuild,
  context: BuildContext | undefined,
): Promise<{ readonly text: string; readonly ignore: string | undefined }> {
  const name = body.dockerfileName;
  const read = async (path: string) =>
    context && (await builder.readFile(context, path))?.toString();
  const text = body.dockerfile ?? (await read(name));
  if (text === undefined) {
    const message = `failed to read dockerfile: open ${name}: no such file or directory`;
    throw new Fault("invalid", message, { about: name });
  }
  const ignore =
    body.ignore ?? (await read(`${name}.dockerignore`)) ?? (await read(".dockerignore"));
  return { text, ignore };
}

function failureOf(error: unknown): BuildFailure {
  const { message } = faultOf(error);
  const located = error as { readonly ranges?: BuildFailure["ranges"] };
  if (!(error instanceof StepFault))
    return { kind: "error", message, ranges: located.ranges ?? [] };
  const { vertex, ranges, exitCode } = error.failure;
  return { kind: "error", message, ranges, vertex, ...defined({ exitCode }) };
}
