export type LogLevel = "debug" | "info" | "warn" | "error";

/**
 * Where a module tells operators what no caller can be told. A message is a short sentence without
 * values; the values are its fields.
 */
export interface Log {
  /** For the author of the code. */
  debug(message: string, fields?: Record<string, unknown>): void;
  /** Work that was done, as expected. */
  info(message: string, fields?: Record<string, unknown>): void;
  /** Something went wrong and the work goes on. */
  warn(message: string, fields?: Record<string, unknown>): void;
  /** Something went wrong that an operator must mend. */
  error(message: string, fields?: Record<string, unknown>): void;
}

const order: readonly LogLevel[] = ["debug", "info", "warn", "error"];

function render(value: unknown): string {
  const text =
    value instanceof Error ? value.message : typeof value === "string" ? value : String(value);
  return /[\s"=]/.test(text) || text === "" ? JSON.stringify(text) : text;
}

/** A logfmt log (time, level, msg, then fields), one line a record; a `level` that may change is a function; `write` gets the line with its newline. */
export function createLog(
  level: LogLevel | (() => LogLevel),
  write: (line: string) => void = (line) => process.stderr.write(line),
): Log {
  const record =
    (at: LogLevel) =>
    (message: string, fields: Record<string, unknown> = {}) => {
      if (order.indexOf(at) < order.indexOf(typeof level === "string" ? level : level())) return;
      const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${render(value)}`);
      write(
        `time=${new Date().toISOString()} level=${at} msg=${render(message)}${rest.join("")}\n`,
      );
    };
  return {
    debug: record("debug"),
    info: record("info"),
    warn: record("warn"),
    error: record("error"),
  };
}

/** Drops every record. */
export const silentLog: Log = createLog("error", () => undefined);
