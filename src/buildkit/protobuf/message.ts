import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { Fault, faultOf } from "#base";

/** How values of one type are written: `Out` as decoding gives them, `In` as encoding takes them. */
export interface Codec<Out, In = Out> {
  readonly wireType: WireType;
  /** What a message has that lacks the field; it is not written. */
  readonly empty: Out;
  isEmpty(value: In): boolean;
  write(writer: BinaryWriter, value: In): void;
  read(reader: BinaryReader, budget: Budget): Out;
}

/** How many more entries of repeated fields a message may have. */
interface Budget {
  entries: number;
}

/** A few bytes make an entry, which takes a hundred bytes of memory. */
const maxEntries = 200_000;

/** One field of a message. `before` is what it had until now: repeated fields grow, others are replaced. */
interface Field<Out, In> {
  readonly number: number;
  readonly empty: Out;
  write(writer: BinaryWriter, value: In): void;
  read(reader: BinaryReader, wireType: WireType, before: Out, budget: Budget): Out;
}

// biome-ignore lint/suspicious/noExplicitAny: any field; its types are taken from it
type Fields = Readonly<Record<string, Field<any, any>>>;

type Decoded<F extends Fields> = {
  readonly [Name in keyof F]: F[Name] extends Field<infer Out, infer _> ? Out : never;
};

/** What is left out is empty. */
type Draft<F extends Fields> = {
  readonly [Name in keyof F]?: (F[Name] extends Field<infer _, infer In> ? In : never) | undefined;
};

/** A type of messages (protobuf.dev/programming-guides/encoding); a codec of fields, too. */
export interface Message<Out, In> extends Codec<Out, In> {
  encode(value: In): Uint8Array;
  /** `invalid` when the bytes are no such message. Fields that are not known are dropped; bytes are views. */
  decode(bytes: Uint8Array): Out;
}

/** What decoding a type of messages gives. */
export type Value<M> = M extends Message<infer Out, infer _> ? Out : never;

/** What encoding a type of messages takes. */
export type Input<M> = M extends Message<infer _, infer In> ? In : never;

const scalar = <T>(
  wireType: WireType,
  empty: T,
  write: (writer: BinaryWriter, value: T) => unknown,
  read: (reader: BinaryReader) => T,
): Codec<T> => ({ wireType, empty, isEmpty: (value) => value === empty, write, read });

const { Varint, LengthDelimited } = WireType;

/** Text; bytes that are not UTF-8 become U+FFFD. */
export const string = scalar(
  LengthDelimited,
  "",
  (writer, value) => writer.string(value),
  (reader) => reader.string(),
);
/** Bytes, decoded as a view of the message. */
export const bytes: Codec<Uint8Array> = {
  ...scalar<Uint8Array>(
    LengthDelimited,
    new Uint8Array(0),
    (writer, value) => writer.bytes(value),
    (reader) => reader.bytes(),
  ),
  isEmpty: (value) => value.byteLength === 0,
};
/** A truth value. */
export const bool = scalar(
  Varint,
  false,
  (writer, value) => writer.bool(value),
  (reader) => reader.bool(),
);
/** 0 to 2^32 - 1. */
export const uint32 = scalar(
  Varint,
  0,
  (writer, value) => writer.uint32(value),
  (reader) => reader.uint32(),
);
/** Also of enumerations. */
export const int32 = scalar(
  Varint,
  0,
  (writer, value) => writer.int32(value),
  (reader) => reader.int32(),
);
/** -2^63 to 2^63 - 1. */
export const int64 = scalar(
  Varint,
  0n,
  (writer, value) => writer.int64(value),
  (reader) => BigInt(reader.int64()),
);

/** A field that has one value. */
export function field<Out, In>(number: number, codec: Codec<Out, In>): Field<Out, In> {
  return {
    ...{ number, empty: codec.empty },
    write(writer, value) {
      if (!codec.isEmpty(value)) writeTagged(writer, number, codec, value);
    },
    read: (reader, wireType, _, budget) => readTagged(reader, wireType, codec, budget),
  };
}

/** A field that may have a message. */
export function optional<Out, In>(
  number: number,
  message: Message<Out, In>,
): Field<Out | undefined, In | undefined> {
  return { ...field(number, message), empty: undefined };
}

/** A field of any number of values. */
export function repeated<Out, In>(
  number: number,
  codec: Codec<Out, In>,
): Field<readonly Out[], readonly In[]> {
  return {
    ...{ number, empty: [] },
    write(writer, values) {
      for (const value of values) writeTagged(writer, number, codec, value);
    },
    read(reader, wireType, before, budget) {
      // The first entry makes the list; what `empty` is stays empty.
      const values = before.length === 0 ? [] : (before as Out[]);
      const take = (type: WireType) => {
        spend(budget);
        values.push(readTagged(reader, type, codec, budget));
      };
      if (wireType !== LengthDelimited || codec.wireType !== Varint) {
        take(wireType);
        return values;
      }
      // Numbers come packed in one field, as proto3 has them.
      const length = reader.uint32();
      const end = reader.pos + length;
      if (end > reader.len) throw new RangeError("a part is longer than the whole");
      while (reader.pos < end) take(Varint);
      if (reader.pos > end) throw new RangeError("a part ends behind its end");
      return values;
    },
  };
}

/** A field of `map<string, ...>`. */
export function map<Out, In>(
  number: number,
  codec: Codec<Out, In>,
): Field<ReadonlyMap<string, Out>, Iterable<readonly [string, In]>> {
  const entry = message({ key: field(1, string), value: field(2, codec) });
  return {
    ...{ number, empty: new Map<string, Out>() },
    write(writer, entries) {
      for (const [key, value] of entries) writeTagged(writer, number, entry, { key, value });
    },
    read(reader, wireType, before, budget) {
      spend(budget);
      const { key, value } = readTagged(reader, wireType, entry, budget);
      if (before.size === 0) return new Map([[key, value]]);
      return (before as Map<string, Out>).set(key, value);
    },
  };
}

/** A type of messages with these fields. */
export function message<F extends Fields>(fields: F): Message<Decoded<F>, Draft<F>> {
  const entries = Object.entries(fields);
  const byNumber = new Map(entries.map(([name, field]) => [field.number, { name, field }]));
  const empty = Object.fromEntries(entries.map(([name, field]) => [name, field.empty]));
  const write = (writer: BinaryWriter, value: Draft<F>) => {
    for (const [name, field] of entries)
      if (value[name] !== undefined) field.write(writer, value[name]);
  };
  const read = (reader: BinaryReader, end: number, budget: Budget) => {
    if (end > reader.len) throw new RangeError("a part is longer than the whole");
    const value = { ...empty };
    while (reader.pos < end) {
      const [number, wireType] = reader.tag();
      const known = byNumber.get(number);
      if (!known) reader.skip(wireType, number);
      else value[known.name] = known.field.read(reader, wireType, value[known.name], budget);
    }
    if (reader.pos > end) throw new RangeError("a part ends behind its end");
    return value as Decoded<F>;
  };
  return {
    wireType: LengthDelimited,
    empty: empty as Decoded<F>,
    isEmpty: (value) => value === undefined,
    write(writer, value) {
      writer.fork();
      write(writer, value);
      writer.join();
    },
    read: (reader, budget) => {
      const length = reader.uint32();
      return read(reader, reader.pos + length, budget);
    },
    encode(value) {
      const writer = new BinaryWriter();
      write(writer, value);
      return writer.finish();
    },
    decode(encoded) {
      try {
        const reader = new BinaryReader(encoded);
        return read(reader, reader.len, { entries: maxEntries });
      } catch (cause) {
        if (cause instanceof Fault) throw cause;
        const why = faultOf(cause).message;
        throw new Fault("invalid", `a message of the client is not valid: ${why}`, { cause });
      }
    },
  };
}

function writeTagged<In>(
  writer: BinaryWriter,
  number: number,
  codec: Codec<unknown, In>,
  value: In,
): void {
  writer.tag(number, codec.wireType);
  codec.write(writer, value);
}

function readTagged<Out>(
  reader: BinaryReader,
  wireType: WireType,
  codec: Codec<Out, never>,
  budget: Budget,
): Out {
  if (wireType !== codec.wireType) throw new RangeError(`a field has the wire type ${wireType}`);
  return codec.read(reader, budget);
}

function spend(budget: Budget): void {
  budget.entries -= 1;
  if (budget.entries < 0)
    throw new Fault("exhausted", `a message of the client has more than ${maxEntries} entries`);
}
