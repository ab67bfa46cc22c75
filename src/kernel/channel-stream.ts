import { Duplex } from "node:stream";
import { openChannel } from "./channel.ts";
import type { Fd } from "./fd.ts";

/**
 * A socket as a stream of Node's, for libraries that take nothing else; it owns the descriptor. Its
 * halves end apart, and destroying it closes the socket.
 */
export function streamOf(socket: Fd): Duplex {
  const channel = openChannel(socket);
  let drained: (() => void) | undefined;
  const stream = new Duplex({
    allowHalfOpen: true,
    read: () => channel.resume(),
    write(chunk: Buffer, _encoding, done) {
      if (channel.write(chunk)) done();
      else drained = done;
    },
    final(done) {
      channel.end();
      done();
    },
    destroy(error, done) {
      channel.close();
      done(error);
    },
  });
  channel.onDrain(() => {
    const done = drained;
    drained = undefined;
    done?.();
  });
  channel.onEnd((fault) => {
    if (fault) stream.destroy(fault);
    else stream.push(null);
  });
  channel.onData((bytes) => {
    if (!stream.push(bytes)) channel.pause();
  });
  return stream;
}
