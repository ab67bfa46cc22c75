import { rmSync } from "node:fs";
import { defined, Fault, isFault, Scope } from "#base";
import { baseImages, parseIgnoreFile } from "#dockerfile";
import {
  type BuildContext,
  type Builder,
  type CacheReader,
  checkOutputs,
  type Engine,
  type BuildRequest as EngineBuild,
  parseCacheImport,
  readAttestations,
} from "#engine";
import {
  canonicalString,
  encodeDocument,
  formatPlatform,
  hostPlatform,
  isDigest,
  parseReference,
  withDefaultTag,
} from "#image";
import { internalStep } from "../build/internal-step.ts";
import type {
  BuildRequest,
  ContextPlace,
  ImageRequest,
  ResolvedImage,
  Solution,
  Solver,
  WantedFiles,
} from "../build/solver.ts";
import { openAgentSocket } from "./agent-socket.ts";
import { credentialsOf } from "./client-credentials.ts";
import { EngineSolution } from "./engine-solution.ts";

type GivenContexts = NonNullable<EngineBuild["contexts"]>;

/** What carries builds out. */
interface EngineSolverParts {
  readonly engine: Engine;
  /** For sockets of agents; what is in it goes first. Short, since the name of a socket has 108 bytes. */
  readonly agents: string;
}

/** Carries builds out with an engine. */
export function createEngineSolver(parts: EngineSolverParts): Solver {
  const { engine, agents } = parts;
  rmSync(agents, { recursive: true, force: true });
  return {
    platforms: engine.builds.platforms(),
    hostGateway: () => engine.networks.hostGateway().catch(() => undefined),
    solve: (request) => new EngineBuildRun(parts, request).run(),
    resolveImage: (request) => resolveImage(engine, request),
    usage: async () => (await engine.builds.builder()).usage(),
    prune: async (options) => (await engine.builds.builder()).prune(options),
  };
}

/** One build: what a client has and asks for, in the engine's words. */
class EngineBuildRun {
  readonly #engine: Engine;
  readonly #agents: string;
  readonly #request: BuildRequest;

  constructor({ engine, agents }: EngineSolverParts, request: BuildRequest) {
    this.#engine = engine;
    this.#agents = agents;
    this.#request = request;
  }

  async run(): Promise<Solution> {
    const { platforms, signal, report, enter, client, outputs } = this.#request;
    const attestations = readAttestations(this.#request.attestations);
    checkOutputs(outputs, { platforms: platforms.length, attestations });
    const cacheFrom = await this.#caches();
    const builder = await this.#engine.builds.builder();
    await using scope = new Scope();
    const { context, dockerfile } = await this.#main(builder, scope);
    const contexts = await this.#namedContexts(builder, scope);
    const images = [...baseImages(dockerfile, this.#wanted()), ...imagesIn(contexts)];
    const outcome = await builder.build({
      ...this.#options(),
      dockerfile: { text: dockerfile, name: this.#request.dockerfileName },
      ...{ context, contexts, signal, report, enter },
      ...{ cacheFrom, hasInlineCache: this.#request.hasInlineCache },
      credentials: await credentialsOf(client, images),
    });
    return new EngineSolution({ engine: this.#engine, builder, outcome, attestations });
  }

  /** The caches of --cache-from; the client says at which digest a directory of its own is read. */
  async #caches(): Promise<readonly CacheReader[]> {
    const { cacheImports, client } = this.#request;
    const readers: CacheReader[] = [];
    for (const cache of cacheImports.map(parseCacheImport)) {
      if (cache.kind === "local") {
        const digest = isDigest(cache.wanted) ? cache.wanted : undefined;
        readers.push(client.cache(cache.source, digest));
      } else {
        const credentials = await credentialsOf(client, [cache.name]);
        readers.push(this.#engine.builds.registryCache(cache, credentials));
      }
    }
    return readers;
  }

  #wanted() {
    const { buildArgs, target, platforms } = this.#request;
    const buildPlatform = hostPlatform();
    return {
      ...{ buildArgs, buildPlatform, targetPlatform: platforms[0] ?? buildPlatform },
      ...(target !== "" && { target }),
    };
  }

  #options() {
    const { ignore, target, buildArgs, labels, platforms, noCache, pull } = this.#request;
    const { network, extraHosts, entitlements, client, shmSize, cgroupParent } = this.#request;
    const ulimits = this.#request.ulimits.map(({ Name: name, Soft: soft, Hard: hard }) => ({
      ...{ name, soft, hard },
    }));
    return {
      ...{ buildArgs, labels, platforms, pull, extraHosts, allowed: new Set(entitlements) },
      noCache: typeof noCache === "boolean" ? noCache : new Set(noCache),
      limits: { ulimits, ...defined({ shmSize, cgroupParent: cgroupParent || undefined }) },
      ...defined({ ignore }),
      ...defined({ target: target || undefined, network: network || undefined }),
      secrets: { get: (id: string) => unlessMissing(client.secret(id)) },
      agents: { open: (id: string) => openAgentSocket({ client, id, directory: this.#agents }) },
    };
  }

  /** The files and the Dockerfile; of a URL the Dockerfile may be all there is. */
  async #main(
    builder: Builder,
    scope: Scope,
  ): Promise<{ readonly context: BuildContext | undefined; readonly dockerfile: string }> {
    const { context: place, ignore = "", report, signal } = this.#request;
    if (place.kind === "remote") {
      const found = await internalStep(report, "load remote build context", () =>
        builder.remoteContext(place.url, signal),
      );
      if (found.context === undefined)
        return { context: undefined, dockerfile: this.#request.dockerfile ?? found.dockerfile };
      const context = scope.use(found.context);
      return { context, dockerfile: await this.#dockerfile(builder, context) };
    }
    const wanted = { exclude: parseIgnoreFile(ignore) };
    const opened = await this.#open(builder, place, { step: "load build context", wanted });
    if (!opened) {
      const why = "an image as the context of a build is not supported; send the files";
      throw new Fault("unsupported", why);
    }
    const context = scope.use(opened);
    return { context, dockerfile: await this.#dockerfile(builder, context) };
  }

  /** The files of a place, while they are not disposed of; undefined for what is no directory. */
  async #open(
    builder: Builder,
    place: ContextPlace,
    { step, wanted = {} }: { readonly step: string; readonly wanted?: WantedFiles },
  ): Promise<BuildContext | undefined> {
    const { client, report, signal } = this.#request;
    if (place.kind !== "client" && place.kind !== "upload" && place.kind !== "remote")
      return undefined;
    return await internalStep(report, step, async ({ transferred }) => {
      if (place.kind === "remote") return await builder.remoteFiles(place.url, signal);
      if (place.kind === "upload")
        return await builder.archives.fromArchive(client.upload(place.path));
      return await client.directory(place.name, wanted, (bytes) =>
        transferred("transferring context:", bytes),
      );
    });
  }

  async #namedContexts(builder: Builder, scope: Scope): Promise<GivenContexts> {
    const given = new Map<string, GivenContexts extends ReadonlyMap<string, infer V> ? V : never>();
    for (const [name, place] of this.#request.contexts) {
      const opened = await this.#open(builder, place, { step: `load build context ${name}` });
      if (opened) given.set(name, { kind: "directory", context: scope.use(opened) });
      else if (place.kind === "image") given.set(name, place);
      else if (place.kind === "layout") {
        const layout = this.#request.client.layout(place.store);
        given.set(name, { kind: "layout", layout, reference: place.reference });
      } else if (place.kind === "result" && place.solution instanceof EngineSolution)
        given.set(name, { kind: "result", images: [place.solution.image(place.image)] });
      else throw new Fault("unsupported", `the context ${name} is of a kind that is not supported`);
    }
    return given;
  }

  async #dockerfile(builder: Builder, context: BuildContext): Promise<string> {
    const { dockerfile, dockerfileName: name } = this.#request;
    if (dockerfile !== undefined) return dockerfile;
    const found = await builder.readFile(context, name);
    if (found) return found.toString();
    const why = `failed to read dockerfile: open ${name}: no such file or directory`;
    throw new Fault("not_found", why, { about: name });
  }
}

/** Undefined for what the client does not have, or does not serve at all. */
async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isFault(error, "not_found") || isFault(error, "unsupported")) return undefined;
    throw error;
  }
}

function imagesIn(contexts: GivenContexts): string[] {
  return [...contexts.values()].flatMap((each) => (each.kind === "image" ? [each.reference] : []));
}

async function resolveImage(engine: Engine, request: ImageRequest): Promise<ResolvedImage> {
  const { reference, platform, pull, client, signal } = request;
  const credentials = await credentialsOf(client, [reference]);
  const isHere = !pull && engine.images.idOf(reference) !== undefined;
  if (!isHere) {
    const wanted = platform && { platform: formatPlatform(platform) };
    await engine.images.pull({ reference, credentials, ...wanted }, () => undefined, signal);
  }
  const { config, descriptor } = await engine.images.get(reference);
  const name = canonicalString(withDefaultTag(parseReference(reference)));
  return { reference: name, digest: descriptor.digest, config: encodeDocument(config) };
}
