import { getSystemErrorMap } from "node:util";
import { defined, Fault, type FaultCode } from "#base";
import { errnoName } from "#kernel";
import { type Frame, PayloadReader } from "./frame.ts";
import { stages } from "./tags.ts";

/** The helper's own report of a failure. */
export interface LaunchError {
  /** Where it failed: one of the stages of native/init/wire.h, as "exec" or "mount". */
  readonly stage: string;
  /** Positive, as in errno(3). */
  readonly errno: number;
  /** The attempt, its object, and why it failed. */
  readonly message: string;
}

/** Errors of a stage that are the request's or the image's rather than the engine's. */
const codes: Readonly<Record<string, FaultCode>> = {
  ENOENT: "not_found",
  ESRCH: "not_found",
  EACCES: "denied",
  EPERM: "denied",
  EEXIST: "exists",
  EALREADY: "conflict",
  ENOMEM: "exhausted",
  ENOSPC: "exhausted",
  EMFILE: "exhausted",
  ENFILE: "exhausted",
  EAGAIN: "unavailable",
  EBUSY: "unavailable",
  EINVAL: "invalid",
  ENOTDIR: "invalid",
  EISDIR: "invalid",
  ELOOP: "invalid",
  ENAMETOOLONG: "invalid",
  E2BIG: "invalid",
  ENOEXEC: "invalid",
  ENOTTY: "invalid",
  EPROTO: "invalid",
  ENOSYS: "unsupported",
  EOPNOTSUPP: "unsupported",
};

/** libuv calls this an "illegal operation on a directory". */
const reasons: Readonly<Record<string, string>> = {
  EISDIR: "is a directory",
  // Likewise "on socket".
  ENOTSUP: "operation not supported",
};

/** Payload of an ERROR frame. */
export function readLaunchError(frame: Frame): LaunchError {
  const payload = new PayloadReader(frame);
  const errno = payload.u32();
  const stage = stages[payload.u32()] ?? "unknown";
  const [name = "", text = `error ${errno}`] = getSystemErrorMap().get(-errno) ?? [];
  const reason = reasons[name] ?? text;
  return { stage, errno, message: `${payload.text()}: ${reason}` };
}

/** The same as a Fault, with `stage` and `errno` ("ENOENT") set. */
export function launchFault(error: LaunchError, about?: string): Fault {
  const errno = errnoName(error.errno);
  return new Fault(codes[errno] ?? "internal", error.message, {
    stage: error.stage,
    errno,
    ...defined({ about }),
  });
}

/**
 * The exit status for a failed launch, as Docker has it: 127 when the program is missing, 126 when
 * it cannot be executed, 128 for all else.
 */
export function exitCodeOf(error: LaunchError): number {
  if (error.stage !== "exec") return 128;
  return errnoName(error.errno) === "ENOENT" ? 127 : 126;
}
