import { randomBytes } from "node:crypto";
import { deflateSync, gzipSync } from "node:zlib";
import { formatTime } from "#base";
import type { LogEncoder, LogEntry, LogSubject, LogTarget } from "./target.ts";

type GelfTarget = Extract<LogTarget, { readonly driver: "gelf" }>;

const [errorLevel, infoLevel] = [3, 6] as const;
/** Bytes of one datagram, its header of a chunk included (as Graylog's own library has it). */
const datagramSize = 1420;
const chunkHeader = 12;
const mostChunks = 128;

/**
 * Messages of GELF 1.1 as Docker's driver writes them: over UDP compressed and in chunks
 * (https://go2docs.graylog.org, "GELF via UDP"), over TCP plain with a zero byte at the end.
 * A message of more than 128 chunks, which no receiver takes, is left out.
 */
export function gelfEncoder(target: GelfTarget, subject: LogSubject): LogEncoder {
  const extra = extraOf(subject);
  const isTcp = target.endpoints.some(({ kind }) => kind === "tcp");
  return (entries) => ({
    packets: entries.flatMap((entry) => {
      const message = Buffer.from(messageOf(entry, subject, extra));
      return isTcp ? [Buffer.concat([message, Buffer.alloc(1)])] : datagrams(target, message);
    }),
  });
}

function extraOf(subject: LogSubject): Readonly<Record<string, string>> {
  const named = (name: string) => (name.startsWith("_") ? name : `_${name}`);
  return {
    _command: subject.command,
    _container_id: subject.id,
    _container_name: subject.name,
    _created: formatTime(subject.createdAt),
    _image_id: subject.imageId,
    _image_name: subject.imageName,
    _tag: subject.tag,
    ...Object.fromEntries([...subject.attributes].map(([name, value]) => [named(name), value])),
  };
}

const decoder = new TextDecoder();

function messageOf(
  { stream, time, text }: LogEntry,
  { hostname }: LogSubject,
  extra: Readonly<Record<string, string>>,
): string {
  return JSON.stringify({
    version: "1.1",
    host: hostname,
    short_message: decoder.decode(text),
    timestamp: Number(time / 1_000_000n) / 1000,
    level: stream === "stderr" ? errorLevel : infoLevel,
    ...extra,
  });
}

function datagrams({ compression, level }: GelfTarget, message: Buffer): Buffer[] {
  const bytes =
    compression === "gzip"
      ? gzipSync(message, { level })
      : compression === "zlib"
        ? deflateSync(message, { level })
        : message;
  if (bytes.byteLength <= datagramSize) return [bytes];
  const size = datagramSize - chunkHeader;
  const count = Math.ceil(bytes.byteLength / size);
  if (count > mostChunks) return [];
  const id = randomBytes(8);
  return Array.from({ length: count }, (_, index) =>
    Buffer.concat([
      ...[Buffer.from([0x1e, 0x0f]), id, Buffer.from([index, count])],
      bytes.subarray(index * size, (index + 1) * size),
    ]),
  );
}
