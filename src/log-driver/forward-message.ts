import { randomBytes } from "node:crypto";
import { type Packable, pack } from "./message-pack.ts";
import type { LogEncoder, LogEntry, LogSubject, LogTarget } from "./target.ts";

type FluentdTarget = Extract<LogTarget, { readonly driver: "fluentd" }>;

/**
 * Entries in the forward mode of Fluentd's protocol, version 1
 * (https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1), with the fields of
 * Docker's driver. With acknowledgements each message has an id that the receiver sends back.
 */
export function forwardEncoder(target: FluentdTarget, subject: LogSubject): LogEncoder {
  const fixed: readonly (readonly [string, string])[] = [
    ["container_id", subject.id],
    ["container_name", `/${subject.name}`],
  ];
  return (entries) => {
    const events = entries.map((entry) => [
      target.subSecond ? { nanoseconds: entry.time } : Number(entry.time / 1_000_000_000n),
      recordOf(entry, fixed, subject),
    ]);
    if (!target.requestAck) return { packets: [pack([subject.tag, events])] };
    const acknowledgement = randomBytes(16).toString("base64");
    const option = new Map([["chunk", acknowledgement]]);
    return { packets: [pack([subject.tag, events, option])], acknowledgement };
  };
}

function recordOf(
  { stream, text, part }: LogEntry,
  fixed: readonly (readonly [string, string])[],
  { attributes }: LogSubject,
): ReadonlyMap<string, Packable> {
  const record = new Map<string, Packable>(fixed);
  record.set("source", stream).set("log", text);
  for (const [name, value] of attributes) record.set(name, value);
  if (!part) return record;
  return record
    .set("partial_message", "true")
    .set("partial_id", part.id)
    .set("partial_ordinal", String(part.ordinal))
    .set("partial_last", String(part.last));
}
