import { Fault, type FaultCode, flattenFault, type PlainFault } from "#base";
import type { JobName, Jobs } from "./job.ts";

/** From the pool to a worker, of the job with the id. */
export type ToWorker = { readonly id: number } & ToJob;

/** `chunk` without bytes is the end of the job's stream. */
export type ToJob =
  | {
      readonly type: "start";
      readonly job: JobName;
      readonly request: Jobs[JobName]["request"];
      /** The file of the native addon. */
      readonly addon: string;
    }
  | { readonly type: "chunk"; readonly bytes?: Uint8Array; readonly fault?: PlainFault }
  /** The receiver has taken a chunk of output. */
  | { readonly type: "taken" }
  | { readonly type: "cancel" };

/** From a worker to the pool, of the job with the id. */
export type FromWorker = { readonly id: number } & FromJob;

/** `demand` asks for one more chunk of input. */
export type FromJob =
  | { readonly type: "demand" }
  | { readonly type: "output"; readonly bytes: Uint8Array }
  | { readonly type: "progress"; readonly bytes: number }
  | { readonly type: "done"; readonly result: unknown }
  | { readonly type: "failed"; readonly fault: PlainFault };

/** A thrown value as a message carries it; what node:fs throws has a code of its own. */
export function flatten(error: unknown): PlainFault {
  return flattenFault(systemFault(error));
}

/** Errors of node:fs; for a full disk faultOf has its own words. */
function systemFault(error: unknown): unknown {
  const { code, path, message } = error as { code?: unknown; path?: unknown; message?: unknown };
  if (error instanceof Fault || typeof code !== "string" || !/^E[A-Z]+$/.test(code)) return error;
  if (code === "ENOSPC" || code === "EDQUOT") return error;
  const codes: Readonly<Record<string, FaultCode>> = {
    ENOENT: "not_found",
    EEXIST: "exists",
    EACCES: "denied",
    EPERM: "denied",
    EMFILE: "exhausted",
    EIO: "data_loss",
  };
  return new Fault(codes[code] ?? "internal", String(message), {
    cause: error,
    errno: code,
    ...(typeof path === "string" && { about: path }),
  });
}
