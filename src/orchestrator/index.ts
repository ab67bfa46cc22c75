/**
 * orchestrator: projects of compose files on an engine. What is to be done is a plan of module compose;
 * here it is found out what there is, and the plan is carried out.
 *
 * The engine is reached over `client` alone, so that another engine than thimble's works as well. Nothing
 * is kept beside what the engine holds: resources are found by the labels of docker compose.
 */

export { carryOut } from "./carry-out.ts";
export { removeContainers } from "./containers.ts";
export { type Follower, followContainer } from "./follow.ts";
export { killServices, pauseServices, restartServices, stopServices } from "./lifecycle.ts";
export { observeAround, observeContainers, observeProject } from "./observe-project.ts";
export type { Progress, Report } from "./progress.ts";
export type { Run, RunContainer } from "./project-run.ts";
export { startAll } from "./start.ts";
export { takeDown } from "./take-down.ts";
