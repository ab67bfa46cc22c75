/**
 * compose: pure functions from compose files and variables to a project. It reads files through the
 * port `Files` alone, and never talks to an engine.
 *
 * On its way a file is a YAML node (yaml/), a value (value.ts), and, when variables are replaced, files
 * merged and short forms made long, a model; what has its types (project/) is a project. A project is
 * printed as docker compose prints it, byte for byte, which its config hash needs too. What an engine is asked for (body/) is what docker compose asks it for.
 */

export { containerName, createBody, imageOf } from "./body/create-body.ts";
export { composeLabel, composeVersion } from "./body/labels.ts";
export { copiedFiles, type InheritedVolume } from "./body/mounts.ts";
export { referredServices, resolveService } from "./body/references.ts";
export { networkBody, volumeBody } from "./body/resource-bodies.ts";
export {
  environmentLines,
  imageNames,
  modelVariables,
  networkNames,
  printConfig,
  printVariables,
  profileNames,
  serviceHashes,
  serviceNames,
  volumeNames,
} from "./config.ts";
export { type FileProblem, type Files, maxFileBytes } from "./files.ts";
export type { ProjectRequest } from "./find-sources.ts";
export { type ModelOptions, openProject, openProjectToRun } from "./open-project.ts";
export type { ObservedContainer, ObservedProject } from "./plan/observed.ts";
export type { ContainerPlan, Dependency, Plan, ResourcePlan, ServicePlan } from "./plan/plan.ts";
export { type DownPlan, emptyProject, planDown, planObserved } from "./plan/plan-observed.ts";
export { planUp, type UpRequest } from "./plan/plan-up.ts";
export { itemsAt, mappingAt, numberAt, textAt, textsAt } from "./project/fields.ts";
export type { Project } from "./project/project.ts";
export type { Variable } from "./template.ts";
