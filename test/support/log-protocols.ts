/**
 * What receivers of logs read, strictly: anything that a conforming one would refuse throws.
 */
import { gunzipSync, inflateSync } from "node:zlib";

/** The messages of a syslog stream whose messages end in newlines; a rest without one is an error. */
export function syslogLines(bytes: Buffer): string[] {
  const text = bytes.toString();
  if (text !== "" && !text.endsWith("\n"))
    throw new Error(`an unfinished message: ${text.slice(-80)}`);
  return text.split("\n").slice(0, -1).map(syslogText);
}

/** The messages of a stream with octet counting (RFC 6587, section 3.4.1; RFC 5425). */
export function syslogCounted(bytes: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const space = bytes.indexOf(" ", at);
    const length = bytes.toString("latin1", at, space);
    if (!/^[1-9]\d*$/.test(length)) throw new Error(`not a length: ${length}`);
    const end = space + 1 + Number(length);
    if (end > bytes.byteLength) throw new Error("an unfinished message");
    texts.push(syslogText(bytes.toString("utf8", space + 1, end).replace(/\n$/, "")));
    at = end;
  }
  return texts;
}

const dated =
  /^<(\d{1,3})>(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )(?:\S+ )?(\S+)\[(\d+)\]: (.*)$/s;
const versioned =
  /^<(\d{1,3})>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?(?:Z|[+-]\d\d:\d\d) \S+ \S{1,48} \d+ \S{1,32} - (.*)$/s;

/** The text of one message of RFC 3164, of syslog(3) or of RFC 5424. */
export function syslogText(message: string): string {
  const old = dated.exec(message);
  const found = old ? { priority: old[1], text: old[4] } : undefined;
  const recent = versioned.exec(message);
  const { priority, text } = found ?? { priority: recent?.[1], text: recent?.[2] };
  if (priority === undefined || Number(priority) > 191)
    throw new Error(`not a syslog message: ${JSON.stringify(message)}`);
  return text ?? "";
}

/** The text of a GELF message. */
function gelfText(json: string): string {
  const message = JSON.parse(json);
  if (message.version !== "1.1" || typeof message.host !== "string")
    throw new Error(`not GELF: ${json}`);
  if (typeof message.timestamp !== "number") throw new Error("a timestamp must be a number");
  for (const key of Object.keys(message)) {
    const isKnown = ["version", "host", "short_message", "timestamp", "level"].includes(key);
    if (!isKnown && !/^_[\w.-]+$/.test(key)) throw new Error(`the field ${key} has a wrong name`);
  }
  return message.short_message;
}

/** Puts the chunks of GELF datagrams together. */
export class GelfDatagrams {
  readonly #chunks = new Map<string, (Buffer | undefined)[]>();

  /** The text of the message that this datagram completes. */
  push(datagram: Buffer): string | undefined {
    const whole = datagram.readUInt16BE() === 0x1e0f ? this.#chunk(datagram) : datagram;
    return whole && gelfText(unpacked(whole).toString());
  }

  #chunk(datagram: Buffer): Buffer | undefined {
    const id = datagram.toString("hex", 2, 10);
    const [index = 0, count = 0] = datagram.subarray(10, 12);
    if (count === 0 || count > 128 || index >= count) throw new Error("a wrong chunk");
    const chunks = this.#chunks.get(id) ?? Array.from({ length: count }, () => undefined);
    this.#chunks.set(id, chunks);
    chunks[index] = datagram.subarray(12);
    const all = chunks.filter((chunk) => chunk !== undefined);
    return all.length === count ? Buffer.concat(all) : undefined;
  }
}

function unpacked(bytes: Buffer): Buffer {
  if (bytes.readUInt16BE() === 0x1f8b) return gunzipSync(bytes);
  return bytes[0] === 0x78 ? inflateSync(bytes) : bytes;
}

/** The texts of a GELF stream. */
export function gelfStream(bytes: Buffer): string[] {
  const parts = bytes.toString().split("\0");
  if (parts.pop() !== "") throw new Error("an unfinished message");
  return parts.map(gelfText);
}

/** A message of the forward protocol. */
export interface Forwarded {
  readonly tag: string;
  readonly records: readonly Readonly<Record<string, string>>[];
  readonly chunk?: string;
}

/** The whole messages, and how many bytes they take. */
export function forwarded(bytes: Buffer): { messages: Forwarded[]; size: number } {
  const messages: Forwarded[] = [];
  const reader = new PackReader(bytes);
  let size = 0;
  try {
    while (reader.at < bytes.byteLength) {
      messages.push(messageOf(reader.value() as unknown[]));
      size = reader.at;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return { messages, size };
}

/** Of the forward mode, [tag, [[time, record]...], option], or of the message mode, [tag, time, record, option]. */
function messageOf(parts: readonly unknown[]): Forwarded {
  const [tag, second, third, fourth] = parts;
  if (typeof tag !== "string") throw new Error("a message without a tag");
  const isForward = Array.isArray(second) && (third === undefined || !("log" in Object(third)));
  const events = isForward ? (second as [unknown, Record<string, string>][]) : [[second, third]];
  const option = (isForward ? third : fourth) as { chunk?: string } | undefined;
  return { tag, records: events.map(([, record]) => record as Record<string, string>), ...option };
}

/** MessagePack; a RangeError when the bytes end too early. */
class PackReader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  value(): unknown {
    const code = this.#number(1);
    if (code < 0x80) return code;
    if (code < 0x90) return this.#map(code & 15);
    if (code < 0xa0) return this.#list(code & 15);
    if (code < 0xc0) return this.#text(code & 31);
    switch (code) {
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#number(1 << (code - 0xcc));
      case 0xc0:
        return undefined;
      case 0xd2:
        return this.#number(4);
      case 0xd7:
        if (this.#number(1) !== 0) throw new Error("an extension that is no time");
        return [this.#number(4), this.#number(4)];
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#number(1 << (code - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#list(this.#number(2 << (code - 0xdc)));
      case 0xde:
      case 0xdf:
        return this.#map(this.#number(2 << (code - 0xde)));
      default:
        throw new Error(`MessagePack's code ${code} is not expected`);
    }
  }

  #number(size: number): number {
    const value = this.#bytes.readUIntBE(this.at, size);
    this.at += size;
    return value;
  }

  #text(length: number): string {
    if (this.at + length > this.#bytes.byteLength) throw new RangeError("the text goes on");
    this.at += length;
    return this.#bytes.toString("utf8", this.at - length, this.at);
  }

  #list(length: number): unknown[] {
    return Array.from({ length }, () => this.value());
  }

  #map(length: number): Record<string, unknown> {
    return Object.fromEntries(Array.from({ length }, () => [this.value(), this.value()]));
  }
}
