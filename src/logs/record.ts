export type LogStream = "stdout" | "stderr";

/** One record of a log: a line, or a part of a line above 16 KiB. */
export interface LogRecord {
  readonly stream: LogStream;
  /** Nanoseconds since the epoch. */
  readonly time: bigint;
  /** The labels and variables that the log's options add to each line (`attrs`). */
  readonly attributes?: Readonly<Record<string, string>>;
  /** With its newline; a part of a long line lacks it. */
  readonly line: Uint8Array;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * One line of a json-file log; undefined for anything else, such as a line that a crash or a full
 * disk cut short.
 */
export function parseLogRecord(line: Uint8Array): LogRecord | undefined {
  let fields: { log?: unknown; stream?: unknown; time?: unknown; attrs?: unknown };
  try {
    fields = JSON.parse(decoder.decode(line));
  } catch {
    return undefined;
  }
  if (typeof fields !== "object" || fields === null) return undefined;
  if (typeof fields.log !== "string" || typeof fields.time !== "string") return undefined;
  const time = parseLogTime(fields.time);
  if (time === undefined) return undefined;
  return {
    stream: fields.stream === "stderr" ? "stderr" : "stdout",
    time,
    ...(typeof fields.attrs === "object" && fields.attrs && { attributes: textsOf(fields.attrs) }),
    line: encoder.encode(fields.log),
  };
}

function textsOf(fields: object): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => typeof value === "string"),
  );
}

/**
 * RFC 3339 with up to nine digits of fraction, in nanoseconds since the epoch; undefined for any
 * other text.
 */
function parseLogTime(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (!match) return undefined;
  const milliseconds = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(milliseconds)) return undefined;
  return BigInt(milliseconds) * 1_000_000n + BigInt((match[2] ?? "0").padEnd(9, "0"));
}
