/**
 * base: the shared parts that every module may use.
 *
 * Faults (the one error vocabulary), ids, the clock, the log, stream limits and
 * disposables. It does no I/O but to write log lines to standard error, and imports
 * no other module.
 */

export { abbreviate } from "./abbreviate.ts";
export { type Backoff, Patience, poll, retry, wait } from "./backoff.ts";
export { areZeros, formatBytes, parseBytes } from "./bytes.ts";
export { type Clock, formatTime, systemClock } from "./clock.ts";
export { crashHere } from "./crash-point.ts";
export type { CredentialSource, Credentials } from "./credentials.ts";
export { type Defined, defined } from "./defined.ts";
export { Fault, type FaultCode, type FaultDetail, faultOf, isFault } from "./fault.ts";
export { goPattern } from "./go-pattern.ts";
export { parseBool, parseDuration } from "./go-values.ts";
export {
  type ContainerId,
  type ExecId,
  isContainerId,
  newId,
  type SandboxId,
  shortId,
} from "./id.ts";
export { inParallel } from "./in-parallel.ts";
export { formatIp, type IpVersion, parseIp } from "./ip-address.ts";
export { Joined, unlessAborted } from "./joined.ts";
export { KeyedLock } from "./keyed-lock.ts";
export { createLog, type Log, type LogFormat, type LogLevel, silentLog } from "./log.ts";
export { type Counter, type Gauge, type Histogram, Metrics } from "./metrics.ts";
export { flattenFault, type PlainFault, unflattenFault } from "./plain-fault.ts";
export { ReadyPool, type ReadyPoolOptions } from "./ready-pool.ts";
export { Scope } from "./scope.ts";
export { isLoopbackAddress, isLoopbackName, isServedHost } from "./served-host.ts";
export { Slots } from "./slots.ts";
export { StepBudget } from "./step-budget.ts";
export { collect, endOf, limitStalls, lines } from "./stream.ts";
export { suggest } from "./suggest.ts";
export { visibleText } from "./visible-text.ts";
