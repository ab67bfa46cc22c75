/**
 * POST /thimble/v1/containers/run: create, attach, wait and start in one request, for which
 * Docker's API takes four. Query: `name` and `platform` of create, `stdin`, `stdout` and
 * `stderr` of attach. Body: that of create.
 *
 * A failure before the container exists is answered as create answers it. Else the
 * connection is taken over: the bytes behind the request are the program's input, and the
 * answer is Docker's multiplexed stream, for a terminal too. The last frame is of the stream
 * "system" and holds a RunEnd as JSON; a stream without it broke off.
 */
export const RUN_PATH = "/thimble/v1/containers/run";

/** Headers of the answer: the container's id, and create's warnings as JSON in ASCII. */
export const RUN_ID_HEADER = "thimble-container";
export const RUN_WARNINGS_HEADER = "thimble-warnings";

/** How the program ended; with `Failure`, why it did not start or why its end is unknown. */
export interface RunEnd {
  readonly StatusCode: number;
  readonly Failure?: {
    /** The HTTP status with which Docker's endpoint answers this. */
    readonly Status: number;
    readonly Message: string;
  };
}
