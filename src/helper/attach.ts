import type { Duplex } from "node:stream";
import { connectSocket, handshake } from "./control-socket.ts";
import { attachTo, frame } from "./tags.ts";

export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/**
 * Attaches to a process through its monitor. Written bytes are its standard input, whose
 * end closes it where the plan says so; read bytes are its output from now on: Docker's
 * 8-byte framed streams of pipes, or a terminal's raw bytes. When the promise
 * resolves the attach is in effect, so nothing is missed between CREATED and GO. A
 * reader that does not read makes the process wait, as in Docker.
 */
export async function attach(socketPath: string, options: AttachOptions): Promise<Duplex> {
  const socket = await connectSocket(socketPath);
  const streams =
    (options.stdin ? attachTo.STDIN : 0) |
    (options.stdout ? attachTo.STDOUT : 0) |
    (options.stderr ? attachTo.STDERR : 0);
  await handshake(socket, socketPath, [frame.ATTACH, streams]);
  return socket;
}
