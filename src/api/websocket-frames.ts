import { Fault } from "#base";

/** What a frame of a WebSocket carries (RFC 6455, 5.2). */
const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Frames that a server sends. */
export type ServerFrame = Exclude<keyof typeof opcodes, "continuation">;

/** Data comes in parts as it arrives; the payload of a control frame is whole. */
export interface WebSocketPart {
  readonly kind: "data" | "close" | "ping" | "pong";
  readonly payload: Uint8Array;
}

/** Control frames carry no more than this (RFC 6455, 5.5). */
const controlBytes = 125;

/** One whole frame of a server: not fragmented, not masked. */
export function encodeWebSocketFrame(kind: ServerFrame, payload: Uint8Array): Uint8Array {
  const length = payload.byteLength;
  const extended = length <= 125 ? 0 : length < 65_536 ? 2 : 8;
  const frame = new Uint8Array(2 + extended + length);
  const view = new DataView(frame.buffer);
  frame[0] = 0x80 | opcodes[kind];
  frame[1] = extended === 0 ? length : extended === 2 ? 126 : 127;
  if (extended === 2) view.setUint16(2, length);
  if (extended === 8) view.setBigUint64(2, BigInt(length));
  frame.set(payload, 2 + extended);
  return frame;
}

interface OpenFrame {
  readonly opcode: number;
  readonly mask: Uint8Array;
  readonly length: bigint;
  taken: bigint;
}

/**
 * Cuts a client's bytes into the payloads of its frames, however they arrive; messages are not told
 * apart, and a frame of any size takes no memory. A frame that is not masked, of a kind that does
 * not exist, or a control frame in parts is an `invalid` fault.
 */
export class WebSocketDecoder {
  #head = new Uint8Array(0);
  #frame: OpenFrame | undefined;
  #control: Uint8Array[] = [];

  push(bytes: Uint8Array): WebSocketPart[] {
    const parts: WebSocketPart[] = [];
    let rest = bytes;
    for (;;) {
      if (!this.#frame) {
        const head = Buffer.concat([this.#head, rest]);
        const size = headSize(head);
        if (head.byteLength < size) {
          this.#head = head;
          return parts;
        }
        this.#head = new Uint8Array(0);
        this.#frame = openFrame(head.subarray(0, size));
        rest = head.subarray(size);
      }
      const frame = this.#frame;
      const left = frame.length - frame.taken;
      const count = left < BigInt(rest.byteLength) ? Number(left) : rest.byteLength;
      const part = this.#take(frame, rest.subarray(0, count));
      if (part) parts.push(part);
      rest = rest.subarray(count);
      if (frame.taken < frame.length) return parts;
      this.#frame = undefined;
    }
  }

  #take(frame: OpenFrame, masked: Uint8Array): WebSocketPart | undefined {
    const payload = unmask(masked, frame.mask, Number(frame.taken & 3n));
    frame.taken += BigInt(masked.byteLength);
    if (frame.opcode < opcodes.close)
      return payload.byteLength > 0 ? { kind: "data", payload } : undefined;
    this.#control.push(payload);
    if (frame.taken < frame.length) return undefined;
    const whole = Buffer.concat(this.#control.splice(0));
    const { opcode } = frame;
    const kind = opcode === opcodes.close ? "close" : opcode === opcodes.ping ? "ping" : "pong";
    return { kind, payload: whole };
  }
}

/** The bytes before the payload, as far as the first ones tell. */
function headSize(head: Uint8Array): number {
  const length = (head[1] ?? 0) & 0x7f;
  return 6 + (length === 126 ? 2 : length === 127 ? 8 : 0);
}

function openFrame(head: Uint8Array): OpenFrame {
  const [first = 0, second = 0] = head;
  const opcode = first & 0x0f;
  const short = second & 0x7f;
  const isControl = opcode >= opcodes.close;
  const refuse = (why: string) => new Fault("invalid", `a frame of the websocket ${why}`);
  if ((first & 0x70) !== 0) throw refuse("uses an extension that was not agreed on");
  if (!Object.values<number>(opcodes).includes(opcode)) throw refuse(`has the opcode ${opcode}`);
  if ((second & 0x80) === 0) throw refuse("is not masked");
  if (isControl && ((first & 0x80) === 0 || short > controlBytes))
    throw refuse("controls the connection and is not whole");
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const length =
    short === 126
      ? BigInt(view.getUint16(2))
      : short === 127
        ? view.getBigUint64(2)
        : BigInt(short);
  return { opcode, length, taken: 0n, mask: head.slice(-4) };
}

function unmask(bytes: Uint8Array, mask: Uint8Array, from: number): Uint8Array {
  const clear = new Uint8Array(bytes.byteLength);
  for (const [index, byte] of bytes.entries())
    clear[index] = byte ^ (mask[(from + index) & 3] ?? 0);
  return clear;
}
