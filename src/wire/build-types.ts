/** The engine's answers about builds: thimble's own API. */

/** What is to be sent of a context: lines of its list, counted from 0. */
export interface ContextAnswer {
  readonly id: string;
  readonly wanted: readonly number[];
}

/** Lines of a Dockerfile, counted from 1; both are meant. */
export interface BuildRange {
  readonly start: number;
  readonly end: number;
}

/**
 * A step, each time that something of it changes; fields that are absent have not changed. Times are
 * nanoseconds since 1970, as texts.
 */
export interface BuildVertex {
  readonly kind: "vertex";
  readonly digest: string;
  /** As "[build 2/5] RUN make". */
  readonly name: string;
  readonly inputs: readonly string[];
  readonly started?: string;
  readonly completed?: string;
  readonly cached?: boolean;
  readonly error?: string;
  readonly isInternal?: boolean;
  /** For a build with `explain`: why the step ran. */
  readonly reason?: string;
}

/** A piece of a step's output: 1 is standard output, 2 standard error; `data` in base64. */
export interface BuildLog {
  readonly kind: "log";
  readonly vertex: string;
  readonly stream: 1 | 2;
  readonly data: string;
  readonly time: string;
}

/** The progress of one thing that a step does: bytes where `total` is there. */
export interface BuildStatus {
  readonly kind: "status";
  readonly vertex: string;
  readonly id: string;
  readonly current: number;
  readonly total?: number;
  readonly started?: string;
  readonly completed?: string;
}

/** What a build check found. */
export interface BuildWarning {
  readonly kind: "warning";
  readonly vertex: string;
  readonly short: string;
  readonly detail: readonly string[];
  readonly url: string;
  readonly range?: BuildRange;
}

/** A local cache that waits for its client. */
export interface BuildCache {
  readonly cache: number;
  readonly id: string;
  readonly manifest: {
    readonly mediaType: string;
    readonly digest: string;
    readonly size: number;
  };
}

/**
 * A step that waits for its client: POST /thimble/v1/build/entries/ID runs a program in its place, as
 * /containers/ID/debug does. The build goes on once that has ended.
 */
export interface BuildEntry {
  readonly kind: "entry";
  readonly id: string;
  /** As "[build 2/5] RUN make". */
  readonly name: string;
  /** What RUN executes; absent for a step that is none. */
  readonly command?: string;
  /** The command has failed: its files are as it left them. */
  readonly hasFailed: boolean;
  /** Why it failed. */
  readonly message?: string;
  /** It has cache mounts, in which changes stay. */
  readonly keepsCaches: boolean;
}

/** The end of a build that went well. */
export interface BuildResult {
  readonly kind: "result";
  /** The id of the image, which is the digest of its configuration. */
  readonly image?: string;
  /** Of its manifest. */
  readonly descriptor?: {
    readonly mediaType: string;
    readonly digest: string;
    readonly size: number;
  };
  /** What GET /thimble/v1/build/exports/ID has for the client, by the output's place in the request. */
  readonly exports: readonly { readonly output: number; readonly id: string }[];
  /**
   * The same for local caches, by their place in `cacheTo`: a tar of the blobs of an OCI layout, whose
   * index is the client's to write.
   */
  readonly caches?: readonly BuildCache[];
}

/** The end of one that did not. */
export interface BuildFailure {
  readonly kind: "error";
  readonly message: string;
  readonly ranges: readonly BuildRange[];
  /** The text that the ranges count in; absent: the Dockerfile of the request. */
  readonly dockerfile?: string;
  /** The digest of the step that failed. */
  readonly vertex?: string;
  readonly exitCode?: number;
}

/** A line of the answer to POST /thimble/v1/build; the last one is a result or an error. */
export type BuildMessage =
  | BuildVertex
  | BuildLog
  | BuildStatus
  | BuildWarning
  | BuildEntry
  | BuildResult
  | BuildFailure;
