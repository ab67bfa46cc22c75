/** A time of Fluentd's forward protocol with nanoseconds. */
interface EventTime {
  readonly nanoseconds: bigint;
}

/** What the forward protocol is made of. */
export type Packable =
  | string
  | number
  | Uint8Array
  | EventTime
  | readonly Packable[]
  | ReadonlyMap<string, Packable>;

/** MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md): numbers are integers below 2^32. */
export function pack(value: Packable): Buffer {
  const parts: Uint8Array[] = [];
  put(value, parts);
  return Buffer.concat(parts);
}

function put(value: Packable, parts: Uint8Array[]): void {
  if (typeof value === "number")
    parts.push(wide(value, { short: 0, limit: 128, codes: [0xcc, 0xcd, 0xce] }));
  else if (typeof value === "string") putText(Buffer.from(value), parts);
  else if (value instanceof Uint8Array) putText(value, parts);
  else if (value instanceof Map) putMap(value, parts);
  else if (Array.isArray(value)) {
    parts.push(wide(value.length, { short: 0x90, limit: 16, codes: [0xdc, 0xdc, 0xdd] }));
    for (const each of value) put(each, parts);
  } else parts.push(eventTime(value as EventTime));
}

/** Text of any bytes, as Docker's client sends it. */
function putText(bytes: Uint8Array, parts: Uint8Array[]): void {
  parts.push(wide(bytes.byteLength, { short: 0xa0, limit: 32, codes: [0xd9, 0xda, 0xdb] }), bytes);
}

function putMap(map: ReadonlyMap<string, Packable>, parts: Uint8Array[]): void {
  parts.push(wide(map.size, { short: 0x80, limit: 16, codes: [0xde, 0xde, 0xdf] }));
  for (const [key, value] of map) {
    putText(Buffer.from(key), parts);
    put(value, parts);
  }
}

/** A number in the first byte, or behind a code in 8, 16 or 32 bits; equal codes for 8 and 16 bits mean that there are no 8. */
function wide(
  value: number,
  form: { short: number; limit: number; codes: readonly [number, number, number] },
): Buffer {
  const [byte, word, long] = form.codes;
  if (value < form.limit) return Buffer.from([form.short + value]);
  if (value < 0x100 && byte !== word) return Buffer.from([byte, value]);
  if (value < 0x1_0000) return Buffer.from([word, value >> 8, value & 0xff]);
  const bytes = Buffer.alloc(5);
  bytes[0] = long;
  bytes.writeUInt32BE(value, 1);
  return bytes;
}

/** An extension of type 0: seconds and nanoseconds, 32 bits each. */
function eventTime({ nanoseconds }: EventTime): Buffer {
  const bytes = Buffer.alloc(10);
  bytes[0] = 0xd7;
  bytes.writeUInt32BE(Number((nanoseconds / 1_000_000_000n) & 0xffff_ffffn), 2);
  bytes.writeUInt32BE(Number(nanoseconds % 1_000_000_000n), 6);
  return bytes;
}
