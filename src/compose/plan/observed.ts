import type { ContainerSummary, NetworkInspect, Volume } from "#wire";

/** A container of a project, as the engine lists it. */
export interface ObservedContainer {
  readonly id: string;
  /** Without a slash. */
  readonly name: string;
  readonly service: string;
  /** Its place among those of its service, from 1 on; 0 where the label is missing. */
  readonly number: number;
  /** Made by `run`: no part of the project itself. */
  readonly isOneOff: boolean;
  /** "running", "exited", and so on. */
  readonly state: string;
  readonly summary: ContainerSummary;
}

/** What an engine has of a project, whoever made it. */
export interface ObservedProject {
  /** By service and number. */
  readonly containers: readonly ObservedContainer[];
  readonly networks: readonly NetworkInspect[];
  readonly volumes: readonly Volume[];
}
