import { Fault } from "#base";

export type OutputStream = "stdout" | "stderr";

/** Bytes of one stream, in the order in which the process wrote them; they end anywhere. */
export interface OutputPart {
  readonly stream: OutputStream;
  readonly bytes: Uint8Array;
  /** The rest of its frame comes in the next part. */
  readonly isCut?: boolean;
}

const headerSize = 8;

/**
 * Docker's multiplexed stream (API docs, "ContainerAttach"): frames of an 8-byte header
 * (stream 0 to 3, three zeroes, big-endian length) and their bytes. Parts are passed on
 * as they arrive, so that a frame of any length takes no memory. A frame of stream 3 is the
 * engine's own last word: it goes to `onSystem`; without that it is thrown as an error.
 */
export async function* demux(
  source: AsyncIterable<Uint8Array>,
  onSystem: (text: string) => void = (text) => {
    throw new Fault("internal", text);
  },
): AsyncGenerator<OutputPart> {
  const header = new Uint8Array(headerSize);
  let filled = 0;
  let left = 0;
  let said = "";
  for await (const chunk of source) {
    for (let at = 0; at < chunk.byteLength; ) {
      if (left === 0) {
        const part = chunk.subarray(at, at + headerSize - filled);
        header.set(part, filled);
        filled += part.byteLength;
        at += part.byteLength;
        if (filled < headerSize) break;
        filled = 0;
        left = frameLength(header);
        continue;
      }
      const bytes = chunk.subarray(at, at + left);
      at += bytes.byteLength;
      left -= bytes.byteLength;
      if (header[0] === 3) {
        if (said.length < 4096) said += Buffer.from(bytes).toString();
        if (left > 0) continue;
        onSystem(said);
        return;
      } else {
        const stream = header[0] === 2 ? "stderr" : "stdout";
        yield left > 0 ? { stream, bytes, isCut: true } : { stream, bytes };
      }
    }
  }
  if (filled > 0 || left > 0) {
    throw new Fault(
      "unavailable",
      "the output of the container broke off in the middle of a frame",
    );
  }
}

function frameLength(header: Uint8Array): number {
  if ((header[0] ?? 255) > 3 || header[1] || header[2] || header[3]) {
    throw new Fault("internal", "the engine sent output without its frame header");
  }
  return new DataView(header.buffer).getUint32(4);
}
