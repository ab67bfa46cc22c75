import { Fault } from "#base";

/** The largest message that either side takes, as in BuildKit's servers. */
export const maxMessageBytes = 16 << 20;
const headBytes = 5;

/** A message as gRPC puts it into a stream: a flag (0: not compressed), the length, the bytes. */
export function frame(message: Uint8Array): Uint8Array {
  const framed = Buffer.allocUnsafe(headBytes + message.byteLength);
  framed[0] = 0;
  framed.writeUInt32BE(message.byteLength, 1);
  framed.set(message, headBytes);
  return framed;
}

/** Cuts a stream into messages. */
export class FrameReader {
  #parts: Uint8Array[] = [];
  #size = 0;
  /** Of the next message with its head, once that is there. */
  #wanted = headBytes;

  /** `invalid` for a compressed message, `exhausted` for one that is too large. */
  *push(bytes: Uint8Array): Generator<Uint8Array> {
    this.#parts.push(bytes);
    this.#size += bytes.byteLength;
    while (this.#size >= this.#wanted) {
      const all = this.#joined();
      const length = all.readUInt32BE(1);
      if (all[0] !== 0)
        throw new Fault("invalid", "a message of the client is compressed, which was not agreed");
      if (length > maxMessageBytes)
        throw new Fault(
          "exhausted",
          `a message of the client has ${length} bytes; at most ${maxMessageBytes} are accepted`,
        );
      const end = headBytes + length;
      if (all.byteLength < end) {
        this.#keep(all, end);
        return;
      }
      this.#keep(all.subarray(end), headBytes);
      yield all.subarray(headBytes, end);
    }
  }

  /** Whether the stream ended in the middle of a message. */
  get isCut(): boolean {
    return this.#size > 0;
  }

  #joined(): Buffer {
    const [first] = this.#parts;
    if (this.#parts.length === 1 && first)
      return Buffer.from(first.buffer, first.byteOffset, first.byteLength);
    return Buffer.concat(this.#parts, this.#size);
  }

  #keep(rest: Uint8Array, wanted: number): void {
    this.#parts = rest.byteLength > 0 ? [rest] : [];
    this.#size = rest.byteLength;
    this.#wanted = wanted;
  }
}
