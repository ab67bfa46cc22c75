import { isFault, StepBudget } from "#base";
import { type Platform, parsePlatform, parseReference } from "#image";
import { expand } from "./expand.ts";
import { DockerfileFault, type LineRange, located } from "./fault.ts";
import { nearest, proposing } from "./flags.ts";
import { type BuildRequest, type GlobalScope, globalScope } from "./global-scope.ts";
import type { Dockerfile, Instruction, Stage } from "./instruction.ts";
import { mountSource } from "./mount.ts";
import { parseTrigger } from "./parse.ts";
import type { Report } from "./rules.ts";

/** What a stage takes over from the image that it begins with. */
export interface KnownImage {
  readonly platform: Platform;
  /** "NAME=value". */
  readonly variables: readonly string[];
  /** Absolute; "" for the root. */
  readonly workdir: string;
  /** Of the shell form; none for the default. */
  readonly shell: readonly string[];
  /** What ONBUILD left to stages that begin with it. */
  readonly triggers: readonly string[];
}

/** What a stage begins with. */
type Base =
  | { readonly kind: "scratch" }
  | { readonly kind: "stage"; readonly stage: ResolvedStage }
  /** The name as it is written, its variables expanded; `known` is absent for an image that was not looked up. */
  | { readonly kind: "image"; readonly name: string; readonly known?: KnownImage };

/** A stage whose FROM is understood. */
export interface ResolvedStage {
  readonly stage: Stage;
  /** "stage-2" where AS is absent. */
  readonly name: string;
  readonly index: number;
  readonly base: Base;
  /** Of --platform; absent: the target's. */
  readonly platform?: Platform;
  /** Global arguments that FROM refers to. */
  readonly usedArguments: ReadonlySet<string>;
  /** What ONBUILD of the stage below left to it; before its own instructions. */
  readonly triggers: readonly Instruction[];
  /** The stages from which it copies or mounts, with the instruction that does. */
  readonly dependencies: ReadonlyMap<ResolvedStage, Instruction>;
}

/** The stages of a build, and what is common to them. */
export interface ResolvedFile {
  readonly file: Dockerfile;
  readonly request: BuildRequest;
  readonly globals: GlobalScope;
  readonly stages: readonly ResolvedStage[];
  readonly target: ResolvedStage;
  /** The target and all that it needs, in the file's order. */
  readonly reachable: readonly ResolvedStage[];
  /** Characters and steps that expansions may still take. */
  readonly budget: StepBudget;
}

interface Draft extends ResolvedStage {
  readonly triggers: Instruction[];
  readonly dependencies: Map<ResolvedStage, Instruction>;
}

export interface ResolveOptions {
  readonly report?: Report;
  /** Gives an image by its name in FROM, for the platform of the stage or else the target's; undefined for one that is not known. */
  readonly imageOf?: ((name: string, platform?: Platform) => KnownImage | undefined) | undefined;
  /** Takes all stages as reachable. */
  readonly isWhole?: boolean;
}

const maxExpansion = 1 << 26;

/**
 * Finds the base of each stage, the stages that it needs, and the target. `DockerfileFault` for
 * bases that are empty, a target or a stage's number that is not there, and cycles.
 */
export function resolveStages(
  file: Dockerfile,
  request: BuildRequest,
  { report = () => undefined, imageOf = () => undefined, isWhole = false }: ResolveOptions = {},
): ResolvedFile {
  const budget = new StepBudget(maxExpansion);
  checkDefaults(file, request, report);
  const globals = globalScope(file, request, budget);
  const byName = new Map<string, Draft>();
  const stages: Draft[] = [];
  for (const stage of file.stages) {
    const resolved = resolveFrom(stage, {
      file,
      globals,
      budget,
      report,
      imageOf,
      stages,
      byName,
    });
    stages.push(resolved);
    if (stage.name !== undefined) byName.set(stage.name, resolved);
  }
  const target = findTarget(stages, byName, request.target);
  const connect = (stage: Draft, instructions: readonly Instruction[]) => {
    for (const instruction of instructions) {
      for (const source of sourceStages(instruction, stages, byName)) {
        stage.dependencies.set(source, instruction);
      }
    }
  };
  for (const each of stages) connect(each, each.stage.instructions);
  refuseCycles(stages);
  for (const stage of stages) checkReferences(stage, byName);
  const found = new Set<ResolvedStage>(isWhole ? stages : [target]);
  for (const each of found) {
    const draft = each as Draft;
    draft.triggers.push(...triggersFor(draft, file.isLabs));
    connect(draft, draft.triggers);
    if (each.base.kind === "stage") found.add(each.base.stage);
    for (const source of each.dependencies.keys()) found.add(source);
  }
  const reachable = stages.filter((stage) => found.has(stage));
  return { file, request, globals, stages, target, reachable, budget };
}

/** Refuses names that are neither a stage's nor an image's. */
function checkReferences({ stage, base }: Draft, byName: ReadonlyMap<string, Draft>): void {
  if (base.kind === "image") checkReference(base.name, stage.range);
  for (const each of stage.instructions) {
    const from = each.kind === "copy" ? (each.from ?? "") : "";
    if (from === "" || /^[-+]?\d+$/.test(from) || byName.has(from.toLowerCase())) continue;
    checkReference(from, each.range);
  }
}

function checkReference(name: string, range: LineRange): void {
  if (name === "scratch") return;
  located(
    range,
    () => parseReference(name),
    `failed to parse stage name ${JSON.stringify(name)}: `,
  );
}

/** What a stage has to do before its own instructions, by ONBUILD of what it begins with. */
function triggersFor({ stage, base }: ResolvedStage, isLabs: boolean): Instruction[] {
  const left =
    base.kind === "stage"
      ? base.stage.stage.instructions.flatMap((each) =>
          each.kind === "onbuild" ? each.trigger : [],
        )
      : base.kind === "image"
        ? (base.known?.triggers ?? [])
        : [];
  return left.map((trigger) => parseTrigger(trigger, stage, isLabs));
}

/** The stages that an instruction copies or mounts from; the names of images give none. */
function sourceStages<S extends ResolvedStage>(
  instruction: Instruction,
  stages: readonly S[],
  byName: ReadonlyMap<string, S>,
): S[] {
  if (instruction.kind === "copy" && instruction.from !== undefined) {
    const { from } = instruction;
    if (/\$./.test(from)) {
      throw new DockerfileFault(
        "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround",
      );
    }
    if (!/^[-+]?\d+$/.test(from)) {
      const named = byName.get(from.toLowerCase());
      return named ? [named] : [];
    }
    const stage = Number(from) < 0 ? undefined : stages[Number(from)];
    if (!stage) throw new DockerfileFault(`invalid stage index ${Number(from)}`);
    return [stage];
  }
  if (instruction.kind !== "run") return [];
  return instruction.mounts.flatMap((mount) => {
    // A number is an image's name here.
    return byName.get(mountSource(mount)?.toLowerCase() ?? "") ?? [];
  });
}

interface FromContext {
  readonly file: Dockerfile;
  readonly globals: GlobalScope;
  readonly budget: StepBudget;
  readonly report: Report;
  readonly imageOf: (name: string, platform?: Platform) => KnownImage | undefined;
  readonly stages: readonly Draft[];
  readonly byName: ReadonlyMap<string, Draft>;
}

function resolveFrom(stage: Stage, context: FromContext): Draft {
  const { stages, byName } = context;
  const name = expandFrom(stage.base, stage, context);
  if (name.text === "") {
    throw new DockerfileFault(`base name (${stage.base}) should not be blank`, [stage.range]);
  }
  const platform = stage.platform === undefined ? undefined : resolvePlatform(stage, context);
  const parent = byName.get(name.text);
  return {
    stage,
    name: stage.name ?? `stage-${stages.length}`,
    index: stages.length,
    base: parent
      ? { kind: "stage", stage: parent }
      : imageBase(name.text, platform?.platform, context),
    ...(platform ? { platform: platform.platform } : {}),
    usedArguments: new Set([...name.used, ...(platform?.used ?? [])]),
    triggers: [],
    dependencies: new Map(),
  };
}

function imageBase(name: string, platform: Platform | undefined, { imageOf }: FromContext): Base {
  if (name === "scratch") return { kind: "scratch" };
  const known = imageOf(name, platform);
  return { kind: "image", name, ...(known ? { known } : {}) };
}

/** Expands a text of FROM, and reports variables that are not declared. */
function expandFrom(text: string, { range }: Stage, context: FromContext) {
  const { file, globals, budget, report } = context;
  const unset = new Set<string>();
  try {
    return located(range, () =>
      expand(text, globals.variables, { escape: file.escape, budget, unset }),
    );
  } finally {
    for (const name of unset) {
      if (globals.declared.has(name)) continue;
      const known = [...globals.declared.keys(), ...globals.variables.names()];
      const detail = proposing(`FROM argument '${name}' is not declared`, name, known);
      report({ rule: "UndefinedArgInFrom", detail, range });
    }
  }
}

function resolvePlatform(
  stage: Stage,
  context: FromContext,
): { platform: Platform; used: ReadonlySet<string> } {
  const { range, platform: written = "" } = stage;
  const { globals, report } = context;
  const { text, used, unset } = expandFrom(written, stage, context);
  const [only, ...more] = used;
  if (only === "TARGETPLATFORM" && more.length === 0 && unset.size === 0) {
    if (text === globals.variables.get("TARGETPLATFORM")) {
      const detail = `Setting platform to predefined ${written} in FROM is redundant as this is the default behavior`;
      report({ rule: "RedundantTargetPlatform", detail, range });
    }
  }
  if (used.size === 0 && unset.size === 0) reportConstant(stage, text, report);
  const names = [...globals.variables.names()];
  const near = [...unset].map((name) => nearest(name, names)).find((name) => name !== undefined);
  const hint = near === undefined ? "" : ` (did you mean ${near}?)`;
  if (text === "") {
    throw new DockerfileFault(`empty platform value from expression ${written}${hint}`, [range]);
  }
  const prefix = `failed to parse platform ${written}: `;
  return { platform: located(range, () => parsePlatform(text), prefix), used };
}

/** A constant platform is all right in a stage that is named after it. */
function reportConstant(stage: Stage, text: string, report: Report): void {
  const platform = attempt(() => parsePlatform(text));
  if (!platform) return;
  const { name = "", range } = stage;
  if (name.includes(platform.os) || name.includes(platform.architecture)) return;
  const detail = `FROM --platform flag should not use constant value ${JSON.stringify(text)}`;
  report({ rule: "FromPlatformFlagConstDisallowed", detail, range });
}

/** Reports bases that are no images when no build argument is given. */
function checkDefaults(file: Dockerfile, request: BuildRequest, report: Report): void {
  const budget = new StepBudget(maxExpansion);
  const defaults = attempt(() => globalScope(file, { ...request, buildArgs: new Map() }, budget));
  if (!defaults) return;
  for (const { base, range } of file.stages) {
    const name = attempt(() => expand(base, defaults.variables, { escape: file.escape, budget }));
    if (!name) return;
    if (attempt(() => parseReference(name.text))) continue;
    const detail = `Default value for ARG ${base} results in empty or invalid base image name`;
    report({ rule: "InvalidDefaultArgInFrom", detail, range });
  }
}

/** What the action gives; undefined when it finds something invalid. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (isFault(error, "invalid") || isFault(error, "unsupported")) return undefined;
    throw error;
  }
}

function findTarget<S extends ResolvedStage>(
  stages: readonly S[],
  byName: ReadonlyMap<string, S>,
  target: string | undefined,
): S {
  const found = target ? byName.get(target.toLowerCase()) : stages.at(-1);
  if (found) return found;
  throw new DockerfileFault(
    proposing(`target stage ${JSON.stringify(target)} could not be found`, target ?? "", [
      ...byName.keys(),
    ]),
  );
}

/** Stages that need one another; each step of the search is one stage, so that no depth is too much. */
function refuseCycles(stages: readonly ResolvedStage[]): void {
  const done = new Set<ResolvedStage>();
  for (const first of stages) {
    const path: { stage: ResolvedStage; left: [ResolvedStage, Instruction][] }[] = [];
    const through: Instruction[] = [];
    const open = new Set<ResolvedStage>();
    const enter = (stage: ResolvedStage) => {
      open.add(stage);
      path.push({ stage, left: [...stage.dependencies] });
    };
    if (!done.has(first)) enter(first);
    for (let step = path.at(-1); step; step = path.at(-1)) {
      const next = step.left.shift();
      if (!next) {
        done.add(step.stage);
        open.delete(step.stage);
        path.pop();
        through.pop();
      } else if (open.has(next[0])) {
        const ranges = [...through, next[1]].map(({ range }) => range);
        throw new DockerfileFault(
          `circular dependency detected on stage: ${first.name}`,
          ranges.toSorted((a, b) => a.start - b.start),
        );
      } else if (!done.has(next[0])) {
        through.push(next[1]);
        enter(next[0]);
      }
    }
  }
}

/** Whether what a mount or COPY names is not the name of a stage, or that of one before this stage. */
export function isReady(from: string, stage: ResolvedStage, { stages }: ResolvedFile): boolean {
  const source = stages.findLast((each) => each.stage.name === from.toLowerCase());
  return source === undefined || source.index < stage.index;
}
