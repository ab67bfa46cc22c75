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

/** Records as logfmt, or each as a JSON object. */
export type LogFormat = "text" | "json";

interface LogSettings {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

const renderers = {
  text: (facts: Readonly<Record<string, unknown>>) =>
    Object.entries(facts)
      .map(([key, value]) => `${key}=${render(value)}`)
      .join(" "),
  json: (facts: Readonly<Record<string, unknown>>) =>
    JSON.stringify(facts, (_, value) =>
      value instanceof Error ? value.message : typeof value === "bigint" ? String(value) : value,
    ),
} as const;

/**
 * One line a record: time, level, msg, then its fields. Settings that may change are a function;
 * `write` gets the line with its newline.
 */
export function createLog(
  settings: LogLevel | (() => LogSettings),
  write: (line: string) => void = (line) => process.stderr.write(line),
): Log {
  const record =
    (at: LogLevel) =>
    (message: string, fields: Record<string, unknown> = {}) => {
      const { level, format }: LogSettings =
        typeof settings === "string" ? { level: settings, format: "text" } : settings();
      if (order.indexOf(at) < order.indexOf(level)) return;
      const facts = { time: new Date().toISOString(), level: at, msg: message, ...fields };
      write(`${renderers[format](facts)}\n`);
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
