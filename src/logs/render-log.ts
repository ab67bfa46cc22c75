import { formatTime } from "#base";
import { PlainRecord, stampLength } from "./plain-record.ts";
import { type ReadLogOptions, readLines, readLog } from "./read-log.ts";
import { type LogRecord, parseLogRecord } from "./record.ts";

/** Which records of a log are shown, and how. */
export interface RenderLogOptions extends ReadLogOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Each record in a frame of its own: stream number, three zeroes, length as four bytes (Docker's API, "Attach to a container"). */
  readonly framed: boolean;
  readonly timestamps?: boolean | undefined;
  /** The attributes of each record before it. */
  readonly details?: boolean | undefined;
}

const newline = 0x0a;
const headerLength = 8;
const [stdoutNumber, stderrNumber] = [1, 2] as const;

/** A log as `docker logs` streams it; otherwise as `readLog`. */
export async function* renderLog(options: RenderLogOptions): AsyncGenerator<Uint8Array> {
  if (options.details || options.since !== undefined || options.until !== undefined) {
    for await (const records of readLog(options)) {
      const bytes = Buffer.concat(records.map((record) => rendered(record, options)));
      if (bytes.byteLength > 0) yield bytes;
    }
    return;
  }
  for await (const lines of readLines(options)) {
    const bytes = renderLines(lines, options);
    if (bytes.byteLength > 0) yield bytes;
  }
}

/** Room for what a record in its frame may need beyond the record's own length: nothing, but for a last one. */
const slack = 64;

function renderLines(lines: Uint8Array, options: RenderLogOptions): Uint8Array {
  const { stdout, stderr, framed, timestamps } = options;
  const target = Buffer.allocUnsafe(lines.byteLength + slack);
  const record = new PlainRecord();
  const header = framed ? headerLength : 0;
  const stamp = timestamps ? stampLength + 1 : 0;
  // Records of another form end what is in the target so far.
  const parts: Uint8Array[] = [];
  let done = 0;
  let to = 0;
  for (let at = 0; at < lines.byteLength; ) {
    const from = to + header + stamp;
    if (!record.read(lines, at, target, from)) {
      const end = lines.indexOf(newline, at);
      const parsed = parseLogRecord(lines.subarray(at, end));
      if (parsed) parts.push(target.subarray(done, to), rendered(parsed, options));
      if (parsed) done = to;
      at = end + 1;
      continue;
    }
    at = record.next;
    const isErr = record.stream === "stderr";
    if (isErr ? !stderr : !stdout) continue;
    if (stamp > 0) {
      record.stamp(lines, target, to + header);
      target[from - 1] = 0x20;
    }
    if (framed) putHeader(target, to, isErr, record.to - to - header);
    to = record.to;
  }
  if (parts.length === 0) return target.subarray(0, to);
  return Buffer.concat([...parts, target.subarray(done, to)]);
}

function putHeader(target: Uint8Array, at: number, isErr: boolean, length: number): void {
  target[at] = isErr ? stderrNumber : stdoutNumber;
  target[at + 1] = 0;
  target[at + 2] = 0;
  target[at + 3] = 0;
  target[at + 4] = length >>> 24;
  target[at + 5] = length >>> 16;
  target[at + 6] = length >>> 8;
  target[at + 7] = length;
}

function rendered(record: LogRecord, options: RenderLogOptions): Uint8Array {
  const { framed, timestamps, details } = options;
  if (!options[record.stream]) return Buffer.alloc(0);
  const stamp = Buffer.from(
    `${timestamps ? `${formatTime(record.time)} ` : ""}${details ? `${detailsOf(record)} ` : ""}`,
  );
  if (!framed) return Buffer.concat([stamp, record.line]);
  const header = Buffer.alloc(headerLength);
  putHeader(header, 0, record.stream === "stderr", stamp.byteLength + record.line.byteLength);
  return Buffer.concat([header, stamp, record.line]);
}

/** As Docker writes them: sorted, each part as in the query of a URL. */
function detailsOf({ attributes = {} }: LogRecord): string {
  const escaped = (text: string) =>
    encodeURIComponent(text)
      .replaceAll("%20", "+")
      .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  return Object.entries(attributes)
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
    .sort()
    .join(",");
}
