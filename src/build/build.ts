import { randomUUID } from "node:crypto";
import { Fault, formatTime, Scope } from "#base";
import type { Lease } from "#content";
import { ruleDescription, ruleUrl } from "#dockerfile";
import {
  formatPlatform,
  hostPlatform,
  type ImageConfig,
  type Platform,
  platformDistance,
  sha256,
} from "#image";
import { BuildFiles } from "./build-files.ts";
import type { OpenedParts } from "./builder.ts";
import { inlineCache } from "./cache-manifest.ts";
import { BuildCarrier, type CarrierBuild } from "./carrier.ts";
import type { BuildOutcome, BuildRequest, BuiltImage, SolvedStep } from "./contract.ts";
import { findEntry } from "./entry.ts";
import { ImportedCaches } from "./imported-caches.ts";
import { imageKey, type WantedImage } from "./named-context.ts";
import type { Operation } from "./operation.ts";
import { OperationPool } from "./operation-pool.ts";
import { type Origin, originOf, type UsedImage } from "./origin.ts";
import { inOrder, type Plan, planBuild, wantedImages } from "./plan.ts";
import { checkAllowed, checkRunnable, planRequest, resultName } from "./plan-request.ts";
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
  readonly #results = new Map<string, readonly BuiltImage[]>();

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
      if (given.kind === "result") this.#results.set(resultName(given.images), given.images);
    }
  }

  async run(): Promise<Pick<BuildOutcome, "images">> {
    const { report, cacheFrom = [], signal } = this.#request;
    const plans = await this.#plans();
    for (const plan of plans) checkAllowed(plan, this.#request);
    const [first, ...others] = plans;
    const epoch = await this.#epoch(plans);
    const now = () => this.#parts.clock.now();
    const { enter, entry } = this.#request;
    const entered = entry === undefined ? undefined : findEntry(first, entry);
    const operations = entered
      ? inOrder(entered).slice(0, -1)
      : [...new Set(plans.flatMap((plan) => plan.operations))];
    const vertices = verticesOf(operations);
    report({ kind: "steps", steps: stepsOf({ stages: first.stages }, vertices) });
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
    const used = { images: await this.#usedImages(), remotes };
    const finish = async (plan: Plan) => {
      const solved = plan.operations.filter((each) => results.has(each));
      const origin = await originOf({ ...plan, operations: solved }, this.#request, used);
      return this.#finish(plan, { results, epoch, origin });
    };
    return { images: [await finish(first), ...(await Promise.all(others.map(finish)))] };
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

  /** One for each platform, with what they have in common once. */
  async #plans(): Promise<readonly [Plan, ...Plan[]]> {
    const [first = hostPlatform(), ...others] = distinct(this.#request.platforms ?? []);
    const pool = others.length > 0 ? new OperationPool() : undefined;
    const { text } = this.#request.dockerfile;
    const requestFor = (platform: Platform) => planRequest(this.#request, { platform, pool });
    for (const platform of [first, ...others])
      checkRunnable(text, requestFor(platform), this.#parts.runner);
    const plan = await this.#plan(requestFor(first));
    this.#warn(plan);
    return [plan, ...(await Promise.all(others.map((each) => this.#plan(requestFor(each)))))];
  }

  async #plan(request: ReturnType<typeof planRequest>): Promise<Plan> {
    const contexts = new Map(request.contexts);
    for (const [name, given] of this.#request.contexts ?? []) {
      if (given.kind !== "target") continue;
      // It is the stage as it stands, without such contexts.
      const { target } = given;
      contexts.set(name, { kind: "stage", stage: await this.#planOf({ ...request, target }) });
    }
    return await this.#planOf({ ...request, contexts });
  }

  #warn(plan: Plan): void {
    const vertex = sha256("warnings");
    for (const { rule, detail, range } of plan.report.warnings) {
      const about = { detail: [ruleDescription(rule)], url: ruleUrl(rule), range };
      this.#request.report({
        kind: "warning",
        vertex,
        short: `${rule}: ${detail} (line ${range.start})`,
        ...about,
      });
    }
  }

  /** Looks at the images that it begins with first. */
  async #planOf(request: ReturnType<typeof planRequest>): Promise<Plan> {
    const { text } = this.#request.dockerfile;
    const configs = new Map<string, ImageConfig>();
    await Promise.all(
      wantedImages(text, request).map(async (image) => {
        const { config } = await this.#describe(image, request.pool !== undefined);
        configs.set(imageKey(image), config);
      }),
    );
    return planBuild(text, { ...request, configOf: (image) => configs.get(imageKey(image)) });
  }

  /** Looks an image up, as a step that is shown. */
  async #describe(image: WantedImage, namesPlatform: boolean): Promise<BaseImage> {
    if (this.#images.has(imageKey(image))) return await this.#image(image);
    const { layout, reference } = image;
    const platform = namesPlatform ? `${formatPlatform(image.platform)} ` : "";
    const where = layout === undefined ? "internal" : `context ${layout}`;
    const name = `[${platform}${where}] load metadata for ${reference}`;
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
    const key = imageKey(image);
    const known = this.#images.get(key);
    if (known) return known.image;
    const results = this.#results.get(image.reference);
    const { pull = false, credentials = () => undefined, contexts, signal } = this.#request;
    const given = image.layout === undefined ? undefined : contexts?.get(image.layout);
    const layout = given?.kind === "layout" ? given.layout : undefined;
    const options = { pull, credentials, layout, lease: this.#lease, signal };
    const found = results
      ? Promise.resolve(resultFor(results, image.platform))
      : this.#parts.images.find(image, options);
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
  async #epoch(plans: readonly Plan[]): Promise<bigint> {
    const { epoch, context, buildArgs, signal } = this.#request;
    const given = buildArgs?.get("SOURCE_DATE_EPOCH");
    if (given !== undefined && given !== "") {
      if (!/^\d{1,11}$/.test(given)) {
        throw new Fault("invalid", `invalid SOURCE_DATE_EPOCH: ${given}`, { about: given });
      }
      return BigInt(given) * 1_000_000_000n;
    }
    if (epoch !== undefined) return epoch;
    let latest = context ? await this.#parts.times.newest(context, signal) : 0n;
    for (const { image } of plans) {
      const time = Date.parse(image.base?.created ?? "");
      if (time > 0 && BigInt(time) * 1_000_000n > latest) latest = BigInt(time) * 1_000_000n;
    }
    return latest;
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

/** The image of a result for a platform; the only one serves all. */
function resultFor(images: readonly BuiltImage[], platform: Platform): BuiltImage {
  const fitting = images.find((each) => platformDistance(platform, each.platform) !== undefined);
  const [first, second] = images;
  const found = fitting ?? (second ? undefined : first);
  if (found) return found;
  const wanted = formatPlatform(platform);
  throw new Fault("not_found", `the target of the bake file has no image for ${wanted}`, {
    about: wanted,
  });
}

function distinct(platforms: readonly Platform[]): Platform[] {
  return [...new Map(platforms.map((each) => [formatPlatform(each), each])).values()];
}
