import type { StageScope } from "#dockerfile";
import type { Platform } from "#image";
import type { Base } from "./operation.ts";
import type { PlannedImage } from "./planned-image.ts";

/** A stage with its operations: what another one can begin with or copy from. */
export interface PlannedStage {
  readonly result: Base;
  readonly image: PlannedImage;
  readonly platform: Platform;
  /** Variables at its end, for a stage that begins with it; absent for what no Dockerfile made. */
  readonly scope?: StageScope;
  /** Arguments of ARG, for the history of RUN. */
  readonly arguments: readonly StageArgument[];
}

/** An argument that a stage declares; without a value when it has none. */
export interface StageArgument {
  readonly name: string;
  readonly value?: string;
}
