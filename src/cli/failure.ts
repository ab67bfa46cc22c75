import { Fault } from "#base";

/** An end of a command; the message, if any, is printed as it is. Without a status the command's usual one of failure counts. */
export class Exit extends Error {
  readonly status: number | undefined;

  constructor(status: number | undefined, message = "") {
    super(message);
    this.status = status;
  }
}

/**
 * A failure in the words of docker: "Error response from daemon: ..." for one that the engine
 * answered.
 */
export function failureText(error: unknown): string {
  if (error instanceof Fault && "status" in error)
    return `Error response from daemon: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
