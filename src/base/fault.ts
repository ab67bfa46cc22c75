import { visibleText } from "./visible-text.ts";

/** The closed vocabulary of failure; each edge (HTTP, exit status) has one table from it. */
export type FaultCode =
  | "invalid"
  | "not_found"
  | "exists"
  | "conflict"
  | "not_modified"
  | "denied"
  | "unauthenticated"
  | "exhausted"
  | "unavailable"
  | "unsupported"
  | "data_loss"
  | "timeout"
  | "canceled"
  | "internal";

/** Facts about a failure that code looks at; people read the message. */
export interface FaultDetail {
  /** What the failure is about: a path, a reference, an id. */
  readonly about?: string;
  readonly cause?: unknown;
  /** Set when the kernel said no: the symbolic errno, as "ENOENT". */
  readonly errno?: string;
  /** Set when a launch failed: the stage of the helper that failed, as "exec". */
  readonly stage?: string;
}

/**
 * The one error type that crosses a module's border. The message says what was tried, on what, why
 * it failed and what to do; control characters in names that strangers gave are escaped.
 */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: FaultCode;
  readonly about: string | undefined;
  readonly errno: string | undefined;
  readonly stage: string | undefined;

  constructor(code: FaultCode, message: string, detail: FaultDetail = {}) {
    super(visibleText(message), detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.about = detail.about;
    this.errno = detail.errno;
    this.stage = detail.stage;
  }
}

/** Whether a thrown value is a Fault, of the given code where one is given. */
export function isFault(error: unknown, code?: FaultCode): error is Fault {
  return error instanceof Fault && (code === undefined || error.code === code);
}

/** Any thrown value as a Fault: an AbortError is `canceled`, ENOSPC and EDQUOT of Node are `exhausted`, all else is a defect and `internal`. */
export function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error;
  if (error instanceof Error && error.name === "AbortError") {
    return new Fault("canceled", "canceled", { cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  const { code, path } = (error ?? {}) as { readonly code?: unknown; readonly path?: unknown };
  if (code === "ENOSPC" || code === "EDQUOT") {
    const where = typeof path === "string" ? ` for ${path}` : "";
    return new Fault(
      "exhausted",
      `no space left on the device${where}; make room where the engine keeps its data, as by removing containers and images`,
      { cause: error, errno: code },
    );
  }
  return new Fault("internal", message, { cause: error });
}
