import type { LineRange } from "#dockerfile";

/**
 * The progress of a build, in BuildKit's model: all that is shown of it is made from these events.
 * Times are nanoseconds since 1970.
 */
export type BuildEvent = StepsEvent | VertexEvent | LogEvent | StatusEvent | WarningEvent;

/** Once, before the first step: the instructions that are carried out, in the order of the Dockerfile. */
export interface StepsEvent {
  readonly kind: "steps";
  readonly steps: readonly {
    /** As it is written, in one line. */
    readonly text: string;
    /** The digest of its vertex; absent for what changes only the configuration. */
    readonly vertex?: string;
  }[];
}

/** A step, each time that something of it changes; fields that are absent have not changed. */
export interface VertexEvent {
  readonly kind: "vertex";
  /** The same for the same step of the same build. */
  readonly digest: string;
  /** "[build 2/5] RUN make". */
  readonly name: string;
  /** Digests of the steps that it needs. */
  readonly inputs: readonly string[];
  readonly started?: bigint;
  readonly completed?: bigint;
  /** Its result was known before. */
  readonly cached?: boolean;
  readonly error?: string;
  /** Nothing that the Dockerfile names. */
  readonly isInternal?: boolean;
  /** For a build that explains itself: why the step ran. */
  readonly reason?: string;
}

/** A piece of a step's output: 1 is standard output, 2 standard error. */
export interface LogEvent {
  readonly kind: "log";
  readonly vertex: string;
  readonly stream: 1 | 2;
  readonly data: Uint8Array;
  readonly time: bigint;
}

/** How far one thing of a step has come: bytes where there is a total. */
export interface StatusEvent {
  readonly kind: "status";
  readonly vertex: string;
  readonly id: string;
  readonly current: number;
  readonly total?: number;
  readonly started?: bigint;
  readonly completed?: bigint;
}

/** What a build check found. */
export interface WarningEvent {
  readonly kind: "warning";
  readonly vertex: string;
  readonly short: string;
  readonly detail: readonly string[];
  readonly url: string;
  readonly range?: LineRange;
}
