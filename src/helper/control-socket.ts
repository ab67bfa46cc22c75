import { createConnection, type NetConnectOpts, type Socket } from "node:net";
import { Fault } from "#base";
import type { Fd } from "#kernel";
import { encodeFrame, type Frame, FrameReader } from "./frame.ts";
import { launchFault, readLaunchError } from "./launch-error.ts";
import { frame as type } from "./tags.ts";

/** A connection to a monitor's socket; `unavailable` when no monitor listens there. */
export function connectSocket(path: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = createConnection({ path, allowHalfOpen: true });
  const refuse = (cause: Error) =>
    reject(
      new Fault("unavailable", `cannot reach the monitor at ${path}: its container has ended`, {
        about: path,
        cause,
      }),
    );
  socket.once("error", refuse);
  socket.once("connect", () => {
    socket.off("error", refuse);
    resolve(socket);
  });
  return promise;
}

/** A connected socket, which belongs to the stream from then on. */
export function socketOf(fd: Fd): Socket {
  // Bun connects to a descriptor, where Node has `new Socket({ fd })`, which Bun ignores.
  const options: object = { fd: fd.take(), allowHalfOpen: true };
  return createConnection(options as NetConnectOpts);
}

/** The answer of a command: the frame, or the Fault that an ERROR frame stands for. */
export function answerOf(frame: Frame, path: string): Frame {
  if (frame.type === type.ERROR) throw launchFault(readLaunchError(frame), path);
  return frame;
}

/** One command and its answer on a connection that then carries raw bytes; reads none of those. */
export async function handshake(
  socket: Socket,
  path: string,
  command: readonly [type: number, ...values: number[]],
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const reader = new FrameReader();
  const fail = (cause?: Error) =>
    reject(new Fault("unavailable", `the monitor at ${path} hung up`, { about: path, cause }));
  // Never more than the answer is taken, and the stream is left as new: neither flowing nor paused.
  const receive = () => {
    try {
      for (let bytes = socket.read(reader.missing); bytes; bytes = socket.read(reader.missing)) {
        const [frame] = reader.push(bytes);
        if (!frame) continue;
        answerOf(frame, path);
        resolve();
        return;
      }
    } catch (error) {
      reject(error);
    }
  };
  socket.on("readable", receive);
  socket.once("error", fail);
  socket.once("end", fail);
  socket.write(encodeFrame(...command));
  try {
    await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    socket.off("readable", receive);
    socket.off("error", fail);
    socket.off("end", fail);
  }
}
