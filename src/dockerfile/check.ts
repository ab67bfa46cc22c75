import { isFault } from "#base";
import { type CheckOptions, isEnabled, parseCheckOptions } from "./check-options.ts";
import { StageChecker } from "./check-stage.ts";
import { findDirective } from "./directives.ts";
import { DockerfileFault, type LineRange } from "./fault.ts";
import type { BuildRequest } from "./global-scope.ts";
import type { IgnoreMatcher } from "./ignore.ts";
import type { Dockerfile, Written } from "./instruction.ts";
import { type ParseObserver, parseDockerfile } from "./parse.ts";
import {
  type ResolvedFile,
  type ResolvedStage,
  type ResolveOptions,
  resolveStages,
} from "./resolve-stages.ts";
import type { Report, Warning } from "./rules.ts";
import type { Statement } from "./statement.ts";

/** What the checks of a Dockerfile have found. */
export interface CheckReport {
  /** In the order in which a build meets them. */
  readonly warnings: readonly Warning[];
  /** Why a build ends before its first step. */
  readonly failure?: { readonly message: string; readonly ranges: readonly LineRange[] };
}

export interface CheckRequest extends BuildRequest {
  /** Paths of the context that are left out; absent: none. */
  readonly ignored?: IgnoreMatcher;
  /** Gives a base image by its name in FROM; undefined for one that is not known, in which any variable may be set. */
  readonly imageOf?: ResolveOptions["imageOf"];
}

/** The build argument that stands for "# check=". */
const optionsArgument = "BUILDKIT_DOCKERFILE_CHECK";

/** Runs Docker's build checks on the target and what it needs; without a target on all stages. */
export function checkDockerfile(text: string, request: CheckRequest): CheckReport {
  return examineDockerfile(text, request, { isWhole: !request.target }).report;
}

/**
 * Runs the build checks on what the target needs, and gives the stages as they are understood,
 * unless something ends the build.
 */
export function examineDockerfile(
  text: string,
  request: CheckRequest,
  { isWhole = false }: Pick<ResolveOptions, "isWhole"> = {},
): { readonly report: CheckReport; readonly resolved?: ResolvedFile } {
  const warnings: Warning[] = [];
  try {
    const options = optionsOf(text, request);
    const report: Report = (warning) => {
      if (isEnabled(warning.rule, options)) warnings.push(warning);
    };
    const { resolved } = goThrough(text, request, { report, isWhole });
    if (!options.isError || warnings.length === 0) return { report: { warnings }, resolved };
    const rules = new Set(warnings.map(({ rule }) => rule));
    const message = `lint violation found for rules: ${[...rules].join(", ")}`;
    return { report: { warnings, failure: { message, ranges: [] } } };
  } catch (error) {
    if (!isFault(error, "invalid")) throw error;
    const ranges = error instanceof DockerfileFault ? error.ranges : [];
    return { report: { warnings, failure: { message: error.message, ranges } } };
  }
}

/** What the build argument says; without it, the directive of the file. */
function optionsOf(text: string, { buildArgs }: CheckRequest): CheckOptions {
  const given = buildArgs.get(optionsArgument);
  const origin = given === undefined ? "check options" : `build-arg:${optionsArgument}`;
  try {
    return parseCheckOptions(given ?? findDirective(text, "check") ?? "");
  } catch (error) {
    if (!(error instanceof DockerfileFault)) throw error;
    throw new DockerfileFault(`failed to parse ${origin}: ${error.message}`);
  }
}

/** The names of the images that the stages begin with, each once; none when a build would end before. */
export function baseImages(text: string, request: CheckRequest): string[] {
  try {
    const { stages } = resolveStages(parseDockerfile(text), request);
    const names = stages.flatMap(({ base }) => (base.kind === "image" ? [base.name] : []));
    return [...new Set(names)];
  } catch (error) {
    if (isFault(error, "invalid")) return [];
    throw error;
  }
}

/** A build's stages, gone through without running anything. `DockerfileFault` for what ends a build. */
export function goThrough(
  text: string,
  request: CheckRequest,
  { report = () => undefined, isWhole = false }: ResolveOptions,
): { resolved: ResolvedFile; checkers: ReadonlyMap<ResolvedStage, StageChecker> } {
  const file = parseDockerfile(text, reporting(report));
  checkNames(file, report);
  checkCasing(file, report);
  const resolved = resolveStages(file, request, { report, isWhole, imageOf: request.imageOf });
  const checkers = new Map<ResolvedStage, StageChecker>();
  for (const stage of resolved.reachable) {
    const { base } = stage;
    const checker = new StageChecker({
      resolved,
      stage,
      below: base.kind === "stage" ? checkers.get(base.stage) : undefined,
      ignored: request.ignored,
      report,
    });
    checkers.set(stage, checker);
    checker.run();
  }
  return { resolved, checkers };
}

/** Reports what is seen while a file is parsed, so that it is known when the file has an error further on. */
function reporting(report: Report): ParseObserver {
  return {
    onEmptyContinuation(line) {
      const range = { start: line, end: line };
      report({ rule: "NoEmptyContinuation", detail: "Empty continuation line", range });
    },
    onStatement(statement) {
      const { keyword, range } = statement;
      if (keyword.toLowerCase() === "from") checkFrom(statement, report);
      if (keyword.toLowerCase() !== "maintainer") return;
      const detail = "Maintainer instruction is deprecated in favor of using label";
      report({ rule: "MaintainerDeprecated", detail, range });
    },
    onStage(stage) {
      if (stage.name !== undefined) checkDescription("FROM", [stage.name], stage, report);
    },
    onInstruction(instruction) {
      if (instruction.kind !== "arg") return;
      const names = instruction.declared.map(({ name }) => name);
      checkDescription("ARG", names, instruction, report);
    },
  };
}

function checkFrom({ keyword, arguments: given, range }: Statement, report: Report): void {
  const [, as, name, ...more] = given.form === "words" ? given.words : [];
  if (as === undefined || name === undefined) return;
  if (more.length === 0 && name !== name.toLowerCase()) {
    const detail = `Stage name '${name}' should be lowercase`;
    report({ rule: "StageNameCasing", detail, range });
  }
  const isLower = keyword === keyword.toLowerCase();
  const isUpper = keyword === keyword.toUpperCase();
  if ((isLower && as !== as.toLowerCase()) || (isUpper && as !== as.toUpperCase())) {
    const detail = `'${as}' and '${keyword}' keywords' casing do not match`;
    report({ rule: "FromAsCasing", detail, range });
  }
}

/** The comment right above a definition should describe it. */
function checkDescription(
  keyword: string,
  names: readonly string[],
  { comments, range }: Pick<Written, "comments" | "range">,
  report: Report,
): void {
  const [word] = comments.at(-1)?.split(" ", 1) ?? [];
  if (word === undefined || names.includes(word)) return;
  const example = names.length > 1 ? "<arg_key>" : names[0];
  const detail = `Comment for ${keyword} should follow the format: \`# ${example} <description>\``;
  report({ rule: "InvalidDefinitionDescription", detail, range });
}

function checkNames({ stages }: Dockerfile, report: Report): void {
  const seen = new Set<string>();
  for (const { name, range } of stages) {
    if (name === undefined) continue;
    if (name === "context" || name === "scratch") {
      const detail = `Stage name should not use the same name as reserved stage "${name}"`;
      report({ rule: "ReservedStageName", detail, range });
    }
    if (seen.has(name)) {
      const detail = `Duplicate stage name "${name}", stage names should be unique`;
      report({ rule: "DuplicateStageName", detail, range });
    }
    seen.add(name);
  }
}

function checkCasing({ stages }: Dockerfile, report: Report): void {
  const all: readonly Written[] = stages.flatMap((stage) => [stage, ...stage.instructions]);
  const lower = all.filter(({ keyword }) => keyword === keyword.toLowerCase()).length;
  const upper = all.filter(({ keyword }) => keyword === keyword.toUpperCase()).length;
  const isLower = lower > upper;
  for (const { keyword, range } of all) {
    if (keyword === (isLower ? keyword.toLowerCase() : keyword.toUpperCase())) continue;
    const casing = isLower ? "lowercase" : "uppercase";
    const detail = `Command '${keyword}' should match the case of the command majority (${casing})`;
    report({ rule: "ConsistentInstructionCasing", detail, range });
  }
}
