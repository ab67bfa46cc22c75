/**
 * orchestrator: projects of compose files on an engine. What is to be done is a plan of module compose;
 * here it is found out what there is, and the plan is carried out.
 *
 * The engine is reached over `client` alone, so that another engine than thimble's works as well. Nothing
 * is kept beside what the engine holds: resources are found by the labels of docker compose.
 */

export { type ObservedContainer, observeContainers, observeProject } from "./observe-project.ts";
