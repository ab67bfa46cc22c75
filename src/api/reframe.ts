import { pipeline, Transform } from "node:stream";
import type { AttachedStream } from "#engine";
import { encodeFrame, FrameDecoder, type StreamName } from "#wire";

/**
 * The same process with its output in frames, or (`tty`) without. As dockerd, which believes the
 * client at the start of an exec: a terminal's output becomes frames of stdout, and of a process
 * without a terminal only stdout is left when there are no frames to tell its streams apart.
 */
export function framedFor(tty: boolean, attached: AttachedStream): AttachedStream {
  if (attached.tty === tty) return attached;
  const output = pipeline(attached.output, tty ? unframed(["stdout"]) : framed(), () => undefined);
  return { ...attached, output, tty, [Symbol.asyncDispose]: () => attached[Symbol.asyncDispose]() };
}

function framed(): Transform {
  return new Transform({
    transform: (chunk: Uint8Array, _encoding, done) => done(null, encodeFrame("stdout", chunk)),
  });
}

/** A process's output without frames: standard output and errors as they came. */
export function mergedOutput(attached: AttachedStream): AttachedStream {
  if (attached.tty) return attached;
  const output = pipeline(attached.output, unframed(["stdout", "stderr"]), () => undefined);
  return { ...attached, output, [Symbol.asyncDispose]: () => attached[Symbol.asyncDispose]() };
}

function unframed(streams: readonly StreamName[]): Transform {
  const decoder = new FrameDecoder();
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      const frames = decoder.push(chunk).filter(({ stream }) => streams.includes(stream));
      done(null, Buffer.concat(frames.map(({ payload }) => payload)));
    },
  });
}
