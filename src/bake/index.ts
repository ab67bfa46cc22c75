/**
 * bake: what `docker buildx bake` builds, as its files define it. Pure: files and variables go
 * in, targets come out, and faults in buildx's words.
 *
 * `parseDefinitions` reads files of HCL, of JSON and of compose into one definition;
 * `resolveTargets` gives the targets that are asked for, with what they inherit, with what is set
 * for them, and with those that they are linked to; `printTargets` shows them.
 *
 * Words: a target is one build; a group is several under one name; a matrix makes several
 * targets of one block; an override is what `--set` sets; a linked target is a context of another.
 */

export { parseAnnotation } from "./annotation.ts";
export type { DefinitionFile } from "./definition-file.ts";
export type { DefinitionInput, ListedVariable } from "./definition-reader.ts";
export {
  attestText,
  type CacheEntry,
  type OutputEntry,
  parseAttest,
  parseCache,
} from "./entries.ts";
export { finishTargets } from "./finish-targets.ts";
export { listTargets, listVariables } from "./list.ts";
export { defaultFiles, type ParsedFiles, parseDefinitions } from "./parse-files.ts";
export { printTargets } from "./print.ts";
export { type ResolvedTargets, resolveTargets, type TargetRequest } from "./resolve-targets.ts";
export type { Definition, Group, Target } from "./target.ts";
