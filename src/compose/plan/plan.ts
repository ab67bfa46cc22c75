import type { Mapping } from "#yaml";
import type { ProjectOrigin } from "../body/labels.ts";
import type { Project } from "../project/project.ts";
import type { ObservedContainer } from "./observed.ts";

/** What happens to a network or a volume. */
export interface ResourcePlan {
  readonly kind: "network" | "volume";
  readonly key: string;
  readonly name: string;
  readonly part: Mapping;
  readonly fate: "create" | "recreate" | "keep";
  /** "" for one that is kept. */
  readonly reason: string;
}

/**
 * What happens to a container. One that is kept is started if it does not run; "restart" is kept, but
 * stopped while what it depends on is made anew.
 */
export interface ContainerPlan {
  readonly fate: "create" | "recreate" | "restart" | "keep" | "remove";
  readonly number: number;
  /** Its name when all is done. */
  readonly name: string;
  /** Absent for one that is created. */
  readonly container?: ObservedContainer;
  /** "" for one that is kept. */
  readonly reason: string;
}

/** What another service must have reached before a service is started. */
export interface Dependency {
  readonly service: string;
  readonly condition: string;
  readonly isRequired: boolean;
}

/** What happens to the containers of a service. */
export interface ServicePlan {
  readonly name: string;
  readonly service: Mapping;
  readonly scale: number;
  readonly containers: readonly ContainerPlan[];
  /** Those of the plan alone. */
  readonly dependencies: readonly Dependency[];
}

/** All that makes a project as its files say. */
export interface Plan {
  readonly project: Project;
  readonly origin: ProjectOrigin;
  readonly resources: readonly ResourcePlan[];
  /** Those that others depend on first. */
  readonly services: readonly ServicePlan[];
  /** Containers of services that the files do not have, which are removed. */
  readonly orphans: readonly ObservedContainer[];
  /** What users should know, in docker compose's words. */
  readonly warnings: readonly string[];
}
