import { defined } from "#base";
import {
  type BuildRequest,
  type CheckReport,
  DockerfileFault,
  examineDockerfile,
  type IgnoreMatcher,
  type KnownImage,
  parseDockerfile,
  type ResolvedFile,
  type ResolvedStage,
  resolveStages,
  type Stage,
} from "#dockerfile";
import type { ImageConfig, Platform } from "#image";
import {
  contextFor,
  fullReference,
  type NamedContext,
  type NamedContexts,
  type WantedImage,
} from "./named-context.ts";
import { inputsOf, type Operation, type Source, type Step } from "./operation.ts";
import type { OperationPool } from "./operation-pool.ts";
import { type BuildSettings, imageOperation, StagePlanner } from "./plan-stage.ts";
import type { PlannedStage } from "./planned-stage.ts";

/** What a plan is made for. */
export interface PlanRequest extends BuildRequest {
  readonly contexts: NamedContexts;
  /** What is left out of the main context; only to warn of it. */
  readonly ignored?: IgnoreMatcher;
  /** The configuration of an image that `wantedImages` named. */
  readonly configOf: (image: WantedImage) => ImageConfig | undefined;
  /** Labels on top of those of the Dockerfile. */
  readonly labels: ReadonlyMap<string, string>;
  readonly network: "default" | "none" | "host";
  /** "name:address", for /etc/hosts of RUN. */
  readonly hosts: readonly string[];
  /** Bytes of /dev/shm. */
  readonly shmSize?: number;
  /** Steps that are carried out anew: all, or those of stages. */
  readonly ignoresCache: boolean | ReadonlySet<string>;
  /** For one of several platforms: steps tell theirs, and are shared with the plans of the others. */
  readonly pool?: OperationPool;
}

/** A build, as data. */
export interface Plan extends PlannedStage {
  readonly report: CheckReport;
  /** The stages that are built, in the order of the file. */
  readonly stages: readonly Stage[];
  /** All operations, each after its inputs. */
  readonly operations: readonly Operation[];
}

/** The images whose configurations a plan needs: those with which its stages begin, each once. */
export function wantedImages(
  text: string,
  request: BuildRequest & { readonly contexts: NamedContexts },
): WantedImage[] {
  const resolved = resolveStages(parseDockerfile(text), request);
  const found = new Map<string, WantedImage>();
  for (const stage of resolved.reachable) {
    const wanted = baseImageOf(stage, resolved, request.contexts);
    if (wanted) found.set(JSON.stringify(wanted), wanted);
  }
  return [...found.values()];
}

/**
 * Plans the build of a Dockerfile. `DockerfileFault` for what ends a build before its first step.
 * The report has the warnings of the build checks.
 */
export function planBuild(text: string, request: PlanRequest): Plan {
  const { ignored } = request;
  const { report, resolved } = examineDockerfile(text, {
    ...request,
    ...defined({ ignored }),
    imageOf: (name, platform = request.targetPlatform) => knownFor(name, platform, request),
  });
  if (report.failure || !resolved) {
    const { message = "", ranges = [] } = report.failure ?? {};
    throw new DockerfileFault(message, ranges);
  }
  const stage = new BuildPlanner(resolved, request).plan(resolved.target);
  return {
    ...labelled(stage, request.labels),
    report,
    stages: resolved.reachable.map((each) => each.stage),
    operations: inOrder(stage.result),
  };
}

/** What a Dockerfile takes over from an image's configuration. */
function knownImage({ os, architecture, variant, config = {} }: ImageConfig): KnownImage {
  return {
    platform: { os, architecture, ...defined({ variant }) },
    variables: config.Env ?? [],
    workdir: config.WorkingDir ?? "",
    shell: config.Shell ?? [],
    triggers: config.OnBuild ?? [],
  };
}

function knownFor(
  name: string,
  platform: Platform,
  { contexts, configOf }: PlanRequest,
): KnownImage | undefined {
  const wanted = wantedFor(name, platform, contexts);
  const config = wanted && configOf(wanted);
  return config ? knownImage(config) : knownContext(name, platform, contexts);
}

/** A context in the place of an image: a directory has no configuration, a stage its own. */
function knownContext(
  name: string,
  platform: Platform,
  contexts: NamedContexts,
): KnownImage | undefined {
  const context = contextFor(contexts, name)?.context;
  if (!context) return undefined;
  const config = context.kind === "stage" ? context.stage.image.config : {};
  const { os, architecture, variant } = platform;
  const rootfs = { type: "layers", diff_ids: [] } as const;
  return knownImage({ os, architecture, ...defined({ variant }), config, rootfs });
}

function wantedFor(
  name: string,
  platform: Platform,
  contexts: NamedContexts,
): WantedImage | undefined {
  const found = contextFor(contexts, name);
  if (!found) return { reference: fullReference(name), platform };
  const { context } = found;
  if (context.kind !== "image") return undefined;
  const { reference, layout } = context;
  return layout === undefined
    ? { reference: fullReference(reference), platform }
    : { reference, platform, layout };
}

/** A context that stands for a whole stage, by the stage's name. */
function overrideOf({ stage }: ResolvedStage, contexts: NamedContexts): NamedContext | undefined {
  return stage.name === undefined ? undefined : contexts.get(stage.name);
}

function baseImageOf(
  stage: ResolvedStage,
  { request }: ResolvedFile,
  contexts: NamedContexts,
): WantedImage | undefined {
  const platform = stage.platform ?? request.targetPlatform;
  if (overrideOf(stage, contexts)) return wantedFor(stage.name, platform, contexts);
  return stage.base.kind === "image" ? wantedFor(stage.base.name, platform, contexts) : undefined;
}

/** Plans stages as they are needed, each once. */
class BuildPlanner {
  readonly #resolved: ResolvedFile;
  readonly #request: PlanRequest;
  readonly #settings: BuildSettings;
  readonly #planned = new Map<ResolvedStage, PlannedStage>();
  readonly #images = new Map<string, Operation>();

  constructor(resolved: ResolvedFile, request: PlanRequest) {
    const { network, hosts, shmSize, ignoresCache, pool, buildArgs } = request;
    this.#resolved = resolved;
    this.#request = request;
    this.#settings = {
      network,
      hosts,
      ...defined({ shmSize, hostname: buildArgs.get("BUILDKIT_SANDBOX_HOSTNAME") }),
      cacheNamespace: buildArgs.get("BUILDKIT_CACHE_MOUNT_NS") ?? "",
      proxy: proxyVariables(buildArgs),
      ignoresCache,
      namesPlatform: pool !== undefined,
      share: (operation) => pool?.share(operation) ?? operation,
    };
  }

  /** The stages below come first, so that no chain of them is too long for this program's stack. */
  plan(stage: ResolvedStage): PlannedStage {
    const chain: ResolvedStage[] = [];
    for (let each = stage; !this.#planned.has(each); ) {
      chain.push(each);
      if (each.base.kind !== "stage") break;
      each = each.base.stage;
    }
    for (const each of chain.toReversed()) this.#planned.set(each, this.#planOne(each));
    const planned = this.#planned.get(stage);
    if (!planned) throw new DockerfileFault(`stage ${stage.name} has no plan`, [stage.stage.range]);
    return planned;
  }

  #planOne(written: ResolvedStage): PlannedStage {
    const { contexts, configOf } = this.#request;
    const stage = this.#withoutOverridden(written);
    const { base } = stage;
    const platform = stage.platform ?? this.#platformBelow(stage);
    const found = base.kind === "image" ? contextFor(contexts, base.name) : undefined;
    if (base.kind === "stage" || found?.context.kind === "stage") {
      const below =
        base.kind === "stage"
          ? this.#planned.get(base.stage)
          : found?.context.kind === "stage"
            ? found.context.stage
            : undefined;
      return this.#planner(stage, { below, config: undefined, platform }).run();
    }
    const wanted = base.kind === "image" ? wantedFor(base.name, platform, contexts) : undefined;
    const config = wanted && configOf(wanted);
    const planner = this.#planner(stage, { below: undefined, config, platform });
    if (wanted) planner.begin(shownName(wanted), (step) => this.#image(step, wanted));
    else if (found)
      planner.begin(found.name, (step) => this.#settings.share(directoryBase(step, found.name)));
    return planner.run();
  }

  /** A stage whose name is that of a context is this context, whatever its instructions are. */
  #withoutOverridden(stage: ResolvedStage): ResolvedStage {
    const { contexts } = this.#request;
    if (!overrideOf(stage, contexts)) return stage;
    const platform = stage.platform ?? this.#request.targetPlatform;
    const known = knownFor(stage.name, platform, this.#request);
    const base = { kind: "image", name: stage.name, ...defined({ known }) } as const;
    return { ...stage, base, triggers: [], stage: { ...stage.stage, instructions: [] } };
  }

  #platformBelow({ base }: ResolvedStage): Platform {
    const below = base.kind === "stage" ? this.#planned.get(base.stage) : undefined;
    return below?.platform ?? this.#request.targetPlatform;
  }

  #planner(
    stage: ResolvedStage,
    start: ConstructorParameters<typeof StagePlanner>[1],
  ): StagePlanner {
    const parts = {
      resolved: this.#resolved,
      stage,
      settings: this.#settings,
      sourceOf: (from: string, platform: Platform, step: Step) =>
        this.#sourceOf(from, platform, step),
    };
    return new StagePlanner(parts, start);
  }

  /** A stage by name or number, a named context, or an image. */
  #sourceOf(from: string, platform: Platform, step: Step): Source | "scratch" {
    const { stages } = this.#resolved;
    const named = stages.findLast((each) => each.stage.name === from.toLowerCase());
    const stage = /^\d+$/.test(from) && !named ? stages[Number(from)] : named;
    if (stage) return this.plan(stage).result;
    const found = contextFor(this.#request.contexts, from);
    if (found?.context.kind === "stage") return found.context.stage.result;
    if (found?.context.kind === "directory") return { kind: "context", name: found.name };
    if (from === "scratch") return "scratch";
    const wanted = wantedFor(from, platform, this.#request.contexts);
    if (!wanted) return "scratch";
    return this.#image({ ...step, name: `FROM ${shownName(wanted)}`, stage: "" }, wanted);
  }

  /** One operation for each image, however many stages use it. */
  #image(step: Step, wanted: WantedImage): Operation {
    const key = JSON.stringify(wanted);
    const known = this.#images.get(key);
    if (known) return known;
    const made = this.#settings.share(imageOperation(step, wanted));
    this.#images.set(key, made);
    return made;
  }
}

/** An image of a layout goes by the name of its context. */
function shownName({ reference, layout = reference }: WantedImage): string {
  return layout;
}

/** A directory of the client as a root file system. */
function directoryBase(step: Step, name: string): Operation {
  return {
    kind: "copy",
    ...step,
    base: "scratch",
    parts: [{ kind: "files", from: { kind: "context", name }, path: "/", unpacks: false }],
    destination: "/",
    chown: "",
    chmod: "",
    isLink: false,
    exclude: [],
  };
}

const proxyName = /^(?:https?|ftp|no|all)_proxy$/i;

/** Variables of proxies that were given as arguments, in both spellings, as BuildKit sets them. */
function proxyVariables(buildArgs: ReadonlyMap<string, string>): string[] {
  const values = new Map<string, string>();
  for (const [name, value] of [...buildArgs].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (proxyName.test(name)) values.set(name.toUpperCase(), value);
  }
  return [...values].flatMap(([name, value]) => [
    `${name}=${value}`,
    `${name.toLowerCase()}=${value}`,
  ]);
}

/** The stage with the labels that were asked for beside its own. */
function labelled(stage: PlannedStage, labels: ReadonlyMap<string, string>): PlannedStage {
  if (labels.size === 0) return stage;
  const { image } = stage;
  const all = { ...image.config.Labels, ...Object.fromEntries(labels) };
  return { ...stage, image: { ...image, config: { ...image.config, Labels: all } } };
}

/** An operation and all that it needs, each after its inputs. */
export function inOrder(result: PlannedStage["result"]): Operation[] {
  if (result === "scratch") return [];
  const ordered = new Set<Operation>();
  const path: { readonly operation: Operation; readonly left: Operation[] }[] = [];
  const enter = (operation: Operation) => path.push({ operation, left: inputsOf(operation) });
  enter(result);
  for (let step = path.at(-1); step; step = path.at(-1)) {
    const next = step.left.shift();
    if (next) {
      if (!ordered.has(next)) enter(next);
    } else {
      ordered.add(step.operation);
      path.pop();
    }
  }
  return [...ordered];
}
