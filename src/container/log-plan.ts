import { defined } from "#base";
import { logAttributes } from "./log-attributes.ts";
import { type LogConfig, type LogLimits, logLimits } from "./log-config.ts";
import type { LoggedContainer } from "./log-tag.ts";

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
  const attributes = logAttributes(path, log, container);
  return { path, ...logLimits(log), ...defined({ attributes }) };
}
