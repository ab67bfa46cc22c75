import { Fault } from "#base";
import { wireLimits } from "./limits.ts";

/** `system` carries an error of the engine inside a stream that has begun. */
export type StreamName = "stdin" | "stdout" | "stderr" | "system";

/** A part of one stream of a process; it may end anywhere, also within a character. */
export interface Frame {
  readonly stream: StreamName;
  readonly payload: Uint8Array;
}

const names: readonly StreamName[] = ["stdin", "stdout", "stderr", "system"];

/** One frame of Docker's multiplexed stream: stream number, three zeros, length (big-endian u32), payload. */
export function encodeFrame(stream: StreamName, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(8 + payload.byteLength);
  frame[0] = names.indexOf(stream);
  new DataView(frame.buffer).setUint32(4, payload.byteLength);
  frame.set(payload, 8);
  return frame;
}

/**
 * Cuts a multiplexed stream into frames, however the bytes arrive. A frame of an unknown stream or
 * above the limit is an `invalid` fault: the stream is then not framed at all, or not Docker's.
 */
export class FrameDecoder {
  #rest: Uint8Array = new Uint8Array(0);

  /**
   * The frames that these bytes complete. Payloads are views: copy them to keep them after the
   * call.
   */
  push(bytes: Uint8Array): Frame[] {
    const data = this.#rest.byteLength === 0 ? bytes : concatenate(this.#rest, bytes);
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const frames: Frame[] = [];
    let at = 0;
    while (data.byteLength - at >= 8) {
      const stream = names[view.getUint8(at)];
      const length = view.getUint32(at + 4);
      if (!stream || length > wireLimits.frameBytes)
        throw new Fault(
          "invalid",
          `a stream that should be multiplexed has a frame of stream ${view.getUint8(at)} and ${length} bytes`,
        );
      if (data.byteLength - at - 8 < length) break;
      frames.push({ stream, payload: data.subarray(at + 8, at + 8 + length) });
      at += 8 + length;
    }
    this.#rest = at === data.byteLength ? new Uint8Array(0) : data.slice(at);
    return frames;
  }

  /**
   * Bytes of a frame whose end has not come yet; above 0 at the end of a stream, it was cut off.
   */
  get pending(): number {
    return this.#rest.byteLength;
  }
}

function concatenate(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.byteLength + b.byteLength);
  joined.set(a);
  joined.set(b, a.byteLength);
  return joined;
}
