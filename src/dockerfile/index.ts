/**
 * dockerfile: the language of Dockerfiles, syntax 1.x, and of .dockerignore. Pure: texts go in,
 * values and faults in BuildKit's words come out.
 *
 * `parseDockerfile` takes a file apart; `resolveStages` finds the base of each stage and what it
 * needs; a `StageScope` gives a stage's instructions with their variables expanded, in order.
 * `checkDockerfile`, `outline` and `listTargets` go through a build without running it.
 *
 * Words: a statement is an instruction's lines before its own rules are applied; an instruction
 * is a tagged union by `kind`; a trigger is what ONBUILD leaves to the stage above; a warning is
 * what a build check (a rule) found. Lines are counted from 1.
 */

export { baseImages, type CheckReport, checkDockerfile, examineDockerfile } from "./check.ts";
export { isGitSource, isHttpSource } from "./check-transfer.ts";
export { excerpt } from "./excerpt.ts";
export { expand } from "./expand.ts";
export { DockerfileFault, type LineRange, located } from "./fault.ts";
export type { BuildRequest } from "./global-scope.ts";
export { heredocText, parseHeredocWord } from "./heredoc.ts";
export { IgnoreMatcher, type IgnoreState, ignoreFileFor, parseIgnoreFile } from "./ignore.ts";
export type { Dockerfile, Healthcheck, Instruction, Stage } from "./instruction.ts";
export type { Mount } from "./mount.ts";
export { listTargets, type NamedWant, type Outline, outline, type Target } from "./outline.ts";
export { parseDockerfile } from "./parse.ts";
export { exposedPorts } from "./ports.ts";
export { checkJson, outlineJson, targetsJson } from "./report-json.ts";
export {
  type KnownImage,
  type ResolvedFile,
  type ResolvedStage,
  resolveStages,
} from "./resolve-stages.ts";
export { ruleDescription, ruleUrl } from "./rules.ts";
export { StageScope } from "./stage-scope.ts";
export { maxDockerfileBytes } from "./statement.ts";
