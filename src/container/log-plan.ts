import { defined } from "#base";
import type { LoggedContainer } from "./log-attributes.ts";
import { logAttributes } from "./log-attributes.ts";
import { type LogConfig, type LogLimits, logLimits } from "./log-config.ts";

/** The log that a monitor is to write. */
export interface LogPlan extends LogLimits {
  readonly path: string;
  /** The text of a JSON object, for each line. */
  readonly attributes?: string;
}

/** The log of a container at `path`; undefined for the driver `none`. */
export function logPlan(
  path: string,
  log: LogConfig,
  container: LoggedContainer,
): LogPlan | undefined {
  if (log.Type === "none") return undefined;
  const attributes = logAttributes(log, container);
  return { path, ...logLimits(log), ...defined({ attributes }) };
}
