import { formatTime } from "#base";
import type { LogEncoder, LogEntry, LogSubject } from "./target.ts";

/** RFC 5424's severities, which journald has as well. */
const [errorPriority, infoPriority] = ["3", "6"] as const;
const newline = 0x0a;

/**
 * Entries in the native protocol of systemd-journald
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL), one datagram each, with the fields of Docker's driver.
 */
export function journalEncoder(subject: LogSubject): LogEncoder {
  const fixed = Buffer.concat(
    [...fieldsOf(subject)].map(([name, value]) => field(name, Buffer.from(value))),
  );
  return (entries) => ({
    packets: entries.map((entry) =>
      Buffer.concat([
        field("MESSAGE", entry.text),
        field("PRIORITY", Buffer.from(entry.stream === "stderr" ? errorPriority : infoPriority)),
        field("SYSLOG_TIMESTAMP", Buffer.from(formatTime(entry.time))),
        fixed,
        ...partFields(entry),
      ]),
    ),
  });
}

function fieldsOf(subject: LogSubject): Map<string, string> {
  const fields = new Map([
    ["CONTAINER_ID", subject.id.slice(0, 12)],
    ["CONTAINER_ID_FULL", subject.id],
    ["CONTAINER_NAME", subject.name],
    ["CONTAINER_TAG", subject.tag],
    ["IMAGE_NAME", subject.imageName],
    ["SYSLOG_IDENTIFIER", subject.tag],
  ]);
  for (const [name, value] of subject.attributes) {
    const key = fieldName(name);
    if (key !== "") fields.set(key, value);
  }
  return fields;
}

/** Of capitals, digits and underscores, and without an underscore at its begin, which is for journald's own. */
function fieldName(name: string): string {
  return name
    .replace(/[a-z]/g, (letter) => letter.toUpperCase())
    .replace(/[^A-Z0-9]/gu, "_")
    .replace(/^_+/, "")
    .slice(0, 64);
}

function* partFields({ part }: LogEntry): Generator<Uint8Array> {
  if (!part) return;
  yield field("CONTAINER_PARTIAL_ID", Buffer.from(part.id));
  yield field("CONTAINER_PARTIAL_ORDINAL", Buffer.from(String(part.ordinal)));
  yield field("CONTAINER_PARTIAL_LAST", Buffer.from(String(part.last)));
  if (!part.last) yield field("CONTAINER_PARTIAL_MESSAGE", Buffer.from("true"));
}

/** NAME=value, or where the value has a newline: NAME, its length as 64 bits, the value. */
function field(name: string, value: Uint8Array): Uint8Array {
  if (!value.includes(newline)) return Buffer.concat([Buffer.from(`${name}=`), value, lineEnd]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(value.byteLength));
  return Buffer.concat([Buffer.from(`${name}\n`), length, value, lineEnd]);
}

const lineEnd = Buffer.from("\n");
