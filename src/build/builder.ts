import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { type Clock, defined, Fault, formatTime, type Log, Scope } from "#base";
import type { Lease, StoredImage } from "#content";
import { IgnoreMatcher, parseIgnoreFile, ruleDescription, ruleUrl } from "#dockerfile";
import { hostPlatform, type ImageConfig, type Reference, sha256 } from "#image";
import { makePrivateDirectory } from "#kernel";
import type { State } from "#state";
import { ArchiveContexts } from "./archive-contexts.ts";
import type { BuildEvent } from "./build-event.ts";
import { BuildFiles } from "./build-files.ts";
import { CacheMounts } from "./cache-mounts.ts";
import { CacheStore } from "./cache-store.ts";
import { buildUsage, pruneBuilds } from "./cache-usage.ts";
import { BuildCarrier, type CarrierParts } from "./carrier.ts";
import { newestFile, readContextFile } from "./context-files.ts";
import { ContextStore } from "./context-store.ts";
import type {
  BuildContext,
  Builder,
  BuildOutcome,
  BuildRequest,
  ExportOptions,
  PruneOptions,
} from "./contract.ts";
import { crashPoint } from "./crash-point.ts";
import { exportBuild } from "./export.ts";
import { KeyMaker } from "./key.ts";
import type { NamedContext, WantedImage } from "./named-context.ts";
import { Pending } from "./pending.ts";
import { type Plan, type PlanRequest, planBuild, wantedImages } from "./plan.ts";
import { composeConfig } from "./planned-image.ts";
import { openRemoteContext } from "./remote-context.ts";
import { RemoteSources } from "./remote-sources.ts";
import { type Solved, Solver } from "./solver.ts";
import { stepsOf, verticesOf } from "./vertex.ts";

/** The images that builds begin with. */
export interface ImageProvider {
  /**
   * The image of a name for a platform: one that is here, or with `pull` or without one the one of
   * its registry. Its layers are held by the lease.
   */
  find(image: WantedImage, options: FindOptions): Promise<StoredImage>;
}

/** How to look for an image. */
export interface FindOptions {
  readonly pull: boolean;
  readonly credentials: NonNullable<BuildRequest["credentials"]>;
  readonly lease: Lease;
  readonly signal: AbortSignal;
}

/** The parts of an engine that builds stand on. */
export interface BuilderParts extends Omit<CarrierParts, "cacheMounts" | "keys"> {
  readonly state: State;
  readonly clock: Clock;
  readonly log: Log;
  readonly images: ImageProvider;
  /** Hears of each image that was made, with the names that it was given. */
  readonly onImage: (image: StoredImage, tags: readonly Reference[]) => void;
  /** A directory of its own on the data root's file system. */
  readonly root: string;
}

/** Opens the builds of an engine, and settles what a crash has left of them. */
export async function openBuilder(parts: BuilderParts): Promise<Builder> {
  makePrivateDirectory(parts.root);
  const cache = new CacheStore(parts);
  const archives = new ArchiveContexts(join(parts.root, "archives"));
  const contexts = new ContextStore(join(parts.root, "contexts"));
  const cacheMounts = new CacheMounts({ ...parts, root: join(parts.root, "mounts") });
  await cacheMounts.sweep();
  const keys = new KeyMaker();
  const remotes = new RemoteSources(join(parts.root, "remotes"));
  return new EngineBuilder({ ...parts, cache, cacheMounts, archives, contexts, keys, remotes });
}

interface OpenedParts extends BuilderParts {
  readonly cache: CacheStore;
  readonly cacheMounts: CacheMounts;
  readonly keys: KeyMaker;
  readonly remotes: RemoteSources;
  readonly archives: Builder["archives"];
  readonly contexts: Builder["contexts"];
}

class EngineBuilder implements Builder {
  readonly #parts: OpenedParts;
  readonly #solver: Solver;
  readonly archives: Builder["archives"];
  readonly contexts: Builder["contexts"];
  readonly sent: Builder["sent"] = new Pending("context");
  readonly exports: Builder["exports"] = new Pending("export");

  constructor(parts: OpenedParts) {
    this.#parts = parts;
    this.archives = parts.archives;
    this.contexts = parts.contexts;
    this.#solver = new Solver(parts);
  }

  async build(request: BuildRequest): Promise<BuildOutcome> {
    const lease = this.#parts.content.lease();
    try {
      return await new Build(this.#parts, this.#solver, { request, lease }).run();
    } catch (error) {
      await lease[Symbol.asyncDispose]();
      throw error;
    }
  }

  remoteContext(url: string, signal: AbortSignal) {
    return openRemoteContext(this.#parts, url, signal);
  }

  async readFile(context: BuildContext, path: string) {
    return readContextFile(context, path);
  }

  export(outcome: BuildOutcome, options: ExportOptions) {
    return exportBuild(this.#parts, outcome, options);
  }

  usage() {
    return buildUsage(this.#parts);
  }

  prune(options: PruneOptions) {
    return pruneBuilds(this.#parts, options);
  }
}

/** One build, from its Dockerfile to its image. */
class Build {
  readonly #parts: OpenedParts;
  readonly #solver: Solver;
  readonly #request: BuildRequest;
  readonly #lease: Lease;
  readonly #images = new Map<string, Promise<StoredImage>>();

  constructor(
    parts: OpenedParts,
    solver: Solver,
    { request, lease }: { readonly request: BuildRequest; readonly lease: Lease },
  ) {
    this.#parts = parts;
    this.#solver = solver;
    this.#request = request;
    this.#lease = lease;
  }

  async run(): Promise<BuildOutcome> {
    const { report, signal } = this.#request;
    const plan = await this.#plan();
    checkAllowed(plan, this.#request);
    const epoch = await this.#epoch(plan);
    const now = () => this.#parts.clock.now();
    const vertices = verticesOf(plan.operations);
    report({ kind: "steps", steps: stepsOf({ stages: plan.stages }, vertices) });
    await using scope = new Scope();
    const remotes = scope.use(this.#parts.remotes.open(signal));
    const results = await this.#solver.solve(plan.operations, {
      ...{ id: randomUUID(), vertices },
      carrier: (solve) =>
        new BuildCarrier(
          this.#parts,
          {
            request: this.#request,
            epoch,
            lease: this.#lease,
            files: (layersOf) =>
              scope.use(new BuildFiles({ ...this.#parts, layersOf }, this.#request)),
            remotes,
            imageOf: (image) => this.#image(image),
            now,
          },
          solve,
        ),
      ...{ lease: this.#lease, report, now, signal },
      explains: this.#request.explains ?? false,
    });
    return await this.#finish(plan, { results, epoch });
  }

  async #plan(): Promise<Plan> {
    const { dockerfile, report } = this.#request;
    const request = planRequest(this.#request);
    const wanted = wantedImages(dockerfile.text, request);
    const configs = new Map<string, ImageConfig>();
    await Promise.all(
      wanted.map(async (image) => {
        const { config } = await this.#describe(image);
        configs.set(keyOf(image), config);
      }),
    );
    const configOf = (image: WantedImage) => configs.get(keyOf(image));
    const plan = planBuild(dockerfile.text, { ...request, configOf });
    const vertex = sha256("warnings");
    for (const { rule, detail, range } of plan.report.warnings) {
      const about = { detail: [ruleDescription(rule)], url: ruleUrl(rule), range };
      report({
        kind: "warning",
        vertex,
        short: `${rule}: ${detail} (line ${range.start})`,
        ...about,
      });
    }
    return plan;
  }

  /** Looks an image up, as a step that is shown. */
  async #describe(image: WantedImage): Promise<StoredImage> {
    const name = `[internal] load metadata for ${image.reference}`;
    const vertex = { kind: "vertex", digest: sha256(name), name, inputs: [] } as const;
    const { report } = this.#request;
    const { clock } = this.#parts;
    const started = clock.now();
    report({ ...vertex, started });
    try {
      const found = await this.#image(image);
      report({ ...vertex, started, completed: clock.now() });
      return found;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      report({ ...vertex, started, completed: clock.now(), error: message });
      throw error;
    }
  }

  #image(image: WantedImage): Promise<StoredImage> {
    const key = keyOf(image);
    let found = this.#images.get(key);
    if (!found) {
      const { pull = false, credentials = () => undefined, signal } = this.#request;
      const options = { pull, credentials, lease: this.#lease, signal };
      found = this.#parts.images.find(image, options);
      this.#images.set(key, found);
    }
    return found;
  }

  /**
   * The time of the image, and the latest that a file of a new layer may have: SOURCE_DATE_EPOCH, or
   * else the newest file of the context, or else the time of the image below, or else 1970.
   */
  async #epoch({ image }: Plan): Promise<bigint> {
    const { epoch, context, buildArgs, signal } = this.#request;
    const given = buildArgs?.get("SOURCE_DATE_EPOCH");
    if (given !== undefined && given !== "") {
      if (!/^\d{1,11}$/.test(given)) {
        throw new Fault("invalid", `invalid SOURCE_DATE_EPOCH: ${given}`, { about: given });
      }
      return BigInt(given) * 1_000_000_000n;
    }
    if (epoch !== undefined) return epoch;
    const time = Date.parse(image.base?.created ?? "");
    const below = Number.isNaN(time) || time < 0 ? 0n : BigInt(time) * 1_000_000n;
    const newest = context ? await newestFile(context, signal) : 0n;
    return newest > below ? newest : below;
  }

  async #finish(
    plan: Plan,
    made: { readonly results: ReadonlyMap<unknown, Solved>; readonly epoch: bigint },
  ): Promise<BuildOutcome> {
    const { results, epoch } = made;
    const { tags, exportsImage, signal, report } = this.#request;
    const layers = plan.result === "scratch" ? [] : (results.get(plan.result)?.layers ?? []);
    const config = composeConfig(plan.image, {
      diffIds: layers.map(({ diffId }) => diffId),
      hasLayer: (operation) => results.get(operation)?.hasLayer === true,
      created: formatTime(epoch),
    });
    const lease = this.#lease;
    const store = () =>
      this.#parts.content.storeBuilt({ layers, config, references: tags, lease, signal });
    const image = exportsImage ? await this.#exporting(report, store) : undefined;
    if (image) crashPoint("build:image-stored");
    if (image) this.#parts.onImage(image, tags);
    return { image, layers, config, [Symbol.asyncDispose]: () => lease[Symbol.asyncDispose]() };
  }

  async #exporting(
    report: (event: BuildEvent) => void,
    store: () => Promise<StoredImage>,
  ): Promise<StoredImage> {
    const { clock } = this.#parts;
    const name = "exporting to image";
    const vertex = { kind: "vertex", digest: sha256(name), name, inputs: [] } as const;
    const started = clock.now();
    report({ ...vertex, started });
    const image = await store();
    report({ ...vertex, started, completed: clock.now() });
    return image;
  }
}

const keyOf = ({ reference, platform, layout }: WantedImage) =>
  JSON.stringify([reference, platform, layout]);

function planRequest(request: BuildRequest): Omit<PlanRequest, "configOf"> {
  const { network = "default", target, limits, ignore } = request;
  const buildPlatform = hostPlatform();
  const contexts = new Map<string, NamedContext>();
  for (const [name, given] of request.contexts ?? []) {
    contexts.set(name, given.kind === "directory" ? { kind: "directory" } : given);
  }
  return {
    buildArgs: request.buildArgs ?? new Map(),
    buildPlatform,
    targetPlatform: request.platform ?? buildPlatform,
    contexts,
    labels: request.labels ?? new Map(),
    network: network === "none" || network === "host" ? network : "default",
    hosts: request.extraHosts ?? [],
    ignoresCache: request.noCache ?? false,
    ...defined({
      target: target || undefined,
      shmSize: limits?.shmSize,
      ignored: ignore === undefined ? undefined : new IgnoreMatcher(parseIgnoreFile(ignore)),
    }),
  };
}

/** BuildKit's entitlements; the host's network needs none, as under dockerd. */
function checkAllowed(plan: Plan, { allowed }: BuildRequest): void {
  const needsAll = plan.operations.some(
    (operation) => operation.kind === "run" && operation.security === "insecure",
  );
  if (needsAll && !allowed?.has("security.insecure")) {
    throw new Fault("denied", "security.insecure is not allowed", { about: "--allow" });
  }
}
