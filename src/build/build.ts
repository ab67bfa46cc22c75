import { randomUUID } from "node:crypto";
import { defined, Fault, formatTime, Scope } from "#base";
import type { Lease } from "#content";
import { IgnoreMatcher, parseIgnoreFile, ruleDescription, ruleUrl } from "#dockerfile";
import { encodeDocument, hostPlatform, type ImageConfig, sha256 } from "#image";
import { BuildFiles } from "./build-files.ts";
import type { OpenedParts } from "./builder.ts";
import { inlineCache } from "./cache-manifest.ts";
import { BuildCarrier, type CarrierBuild } from "./carrier.ts";
import type {
  BuildOutcome,
  BuildRequest,
  BuiltImage,
  GivenContext,
  SolvedStep,
} from "./contract.ts";
import { findEntry } from "./entry.ts";
import { ImportedCaches } from "./imported-caches.ts";
import type { NamedContext, WantedImage } from "./named-context.ts";
import type { Operation } from "./operation.ts";
import { type Origin, originOf, type UsedImage } from "./origin.ts";
import { inOrder, type Plan, type PlanRequest, planBuild, wantedImages } from "./plan.ts";
import { composeConfig } from "./planned-image.ts";
import type { Solved, Solver } from "./solver.ts";
import { StepFault } from "./step-fault.ts";
import { stepsOf, verticesOf } from "./vertex.ts";

/** One build, from its Dockerfile to its image. */
export class Build {
  readonly #parts: OpenedParts;
  readonly #solver: Solver;
  readonly #request: BuildRequest;
  readonly #lease: Lease;
  readonly #images = new Map<string, { wanted: WantedImage; image: Promise<BaseImage> }>();
  /** Of other builds, by the digests of their configurations. */
  readonly #results = new Map<string, BuiltImage>();

  constructor(
    parts: OpenedParts,
    solver: Solver,
    { request, lease }: { readonly request: BuildRequest; readonly lease: Lease },
  ) {
    this.#parts = parts;
    this.#solver = solver;
    this.#request = request;
    this.#lease = lease;
    for (const given of request.contexts?.values() ?? []) {
      if (given.kind === "result") this.#results.set(resultName(given.image), given.image);
    }
  }

  async run(): Promise<Pick<BuildOutcome, "images">> {
    const { report, cacheFrom = [], signal } = this.#request;
    const plan = await this.#plan();
    checkAllowed(plan, this.#request);
    const epoch = await this.#epoch(plan);
    const now = () => this.#parts.clock.now();
    const { enter, entry } = this.#request;
    const entered = entry === undefined ? undefined : findEntry(plan, entry);
    const operations = entered ? inOrder(entered).slice(0, -1) : plan.operations;
    const vertices = verticesOf(operations);
    report({ kind: "steps", steps: stepsOf({ stages: plan.stages }, vertices) });
    await using scope = new Scope();
    const imports = new ImportedCaches(cacheFrom, { report, now }, signal);
    const remotes = scope.use(this.#parts.remotes.open(signal));
    const solving = this.#solver.begin({
      ...{ id: randomUUID(), vertices },
      carrier: (solve) => this.#carrier(solve, { epoch, now, remotes, scope }),
      ...{ lease: this.#lease, imports, report, now, signal },
      explains: this.#request.explains ?? false,
    });
    let results: ReadonlyMap<Operation, Solved>;
    try {
      results = await solving.solve(operations);
    } catch (error) {
      const { failed } = solving.carrier;
      if (error instanceof StepFault && failed && !signal.aborted) await enter?.(failed, error);
      throw error;
    }
    // Also when no step has needed them: a mistake in a name is to be seen.
    await imports.settled();
    if (entered) await enter?.(solving.carrier.enter(entered));
    const images = await this.#usedImages();
    const origin = await originOf({ ...plan, operations }, this.#request, { images, remotes });
    return { images: [this.#finish(plan, { results, epoch, origin })] };
  }

  #carrier(
    solve: (operation: Operation) => Promise<Solved>,
    run: Pick<CarrierBuild, "epoch" | "now" | "remotes"> & { readonly scope: Scope },
  ): BuildCarrier {
    const { scope, ...own } = run;
    const build: CarrierBuild = {
      ...{ ...own, request: this.#request, lease: this.#lease },
      files: (layersOf) => scope.use(new BuildFiles({ ...this.#parts, layersOf }, this.#request)),
      imageOf: (image) => this.#image(image),
      keepsFailed: this.#request.enter !== undefined,
    };
    return new BuildCarrier(this.#parts, build, solve);
  }

  async #plan(): Promise<Plan> {
    const { report } = this.#request;
    const request = planRequest(this.#request);
    const contexts = new Map(request.contexts);
    for (const [name, given] of this.#request.contexts ?? []) {
      if (given.kind !== "target") continue;
      // It is the stage as it stands, without such contexts.
      const { target } = given;
      contexts.set(name, { kind: "stage", stage: await this.#planOf({ ...request, target }) });
    }
    const plan = await this.#planOf({ ...request, contexts });
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

  /** Looks at the images that it begins with first. */
  async #planOf(request: ReturnType<typeof planRequest>): Promise<Plan> {
    const { text } = this.#request.dockerfile;
    const configs = new Map<string, ImageConfig>();
    await Promise.all(
      wantedImages(text, request).map(async (image) => {
        const { config } = await this.#describe(image);
        configs.set(keyOf(image), config);
      }),
    );
    return planBuild(text, { ...request, configOf: (image) => configs.get(keyOf(image)) });
  }

  /** Looks an image up, as a step that is shown. */
  async #describe(image: WantedImage): Promise<BaseImage> {
    if (this.#images.has(keyOf(image))) return await this.#image(image);
    const { layout, reference } = image;
    const where = layout === undefined ? "internal" : `context ${layout}`;
    const name = `[${where}] load metadata for ${reference}`;
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

  #image(image: WantedImage): Promise<BaseImage> {
    const key = keyOf(image);
    const known = this.#images.get(key);
    if (known) return known.image;
    const result = this.#results.get(image.reference);
    const { pull = false, credentials = () => undefined, contexts, signal } = this.#request;
    const given = image.layout === undefined ? undefined : contexts?.get(image.layout);
    const layout = given?.kind === "layout" ? given.layout : undefined;
    const options = { pull, credentials, layout, lease: this.#lease, signal };
    const found = result ? Promise.resolve(result) : this.#parts.images.find(image, options);
    this.#images.set(key, { wanted: image, image: found });
    return found;
  }

  async #usedImages(): Promise<UsedImage[]> {
    const found = [...this.#images.values()];
    return await Promise.all(
      found.map(async ({ wanted, image }) => ({ wanted, image: await image })),
    );
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
    const newest = context ? await this.#parts.times.newest(context, signal) : 0n;
    return newest > below ? newest : below;
  }

  #finish(
    plan: Plan,
    made: {
      readonly results: ReadonlyMap<Operation, Solved>;
      readonly epoch: bigint;
      readonly origin: Origin;
    },
  ): BuiltImage {
    const { results, epoch, origin } = made;
    const { platform } = plan;
    const layers = plan.result === "scratch" ? [] : (results.get(plan.result)?.layers ?? []);
    const steps = solvedSteps(plan, results);
    const composed = composeConfig(plan.image, {
      diffIds: layers.map(({ diffId }) => diffId),
      hasLayer: (operation) => results.get(operation)?.hasLayer === true,
      created: formatTime(epoch),
    });
    const ofImage = steps.filter(({ isOfImage }) => isOfImage);
    const config = { ...composed, ...(this.#request.hasInlineCache && inlineCache(ofImage)) };
    return { platform, layers, config, origin, steps };
  }
}

/** What has a key, with the layers of its stack. */
function solvedSteps(
  { operations, result }: Plan,
  results: ReadonlyMap<Operation, Solved>,
): readonly SolvedStep[] {
  const ofImage = new Set<Operation>();
  for (let at = result; at !== "scratch"; at = at.kind === "image" ? "scratch" : at.base) {
    ofImage.add(at);
  }
  return operations.flatMap((operation) => {
    const { key, layers = [], hasLayer = false } = results.get(operation) ?? {};
    if (key === undefined) return [];
    return [{ key, layers, hasLayer, isOfImage: ofImage.has(operation) }];
  });
}

/** An image that steps begin with; one that another build has made is in no store. */
type BaseImage = UsedImage["image"];

/** The name of a result among the images that a plan wants: an id, as an image of the store would have it. */
const resultName = ({ config }: BuiltImage) => sha256(encodeDocument(config));

const keyOf = ({ reference, platform, layout }: WantedImage) =>
  JSON.stringify([reference, platform, layout]);

function planRequest(request: BuildRequest): Omit<PlanRequest, "configOf"> {
  const { network = "default", target, limits, ignore } = request;
  const buildPlatform = hostPlatform();
  const contexts = new Map<string, NamedContext>();
  for (const [name, given] of request.contexts ?? []) {
    const context = namedContext(name, given);
    if (context) contexts.set(name, context);
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

/** Undefined for a stage, which has to be planned first. */
function namedContext(name: string, given: GivenContext): NamedContext | undefined {
  switch (given.kind) {
    case "directory":
      return { kind: "directory" };
    case "image":
      return given;
    case "layout":
      return { kind: "image", reference: given.reference, layout: name };
    case "result":
      return { kind: "image", reference: resultName(given.image) };
    case "target":
      return undefined;
  }
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
