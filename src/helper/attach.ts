import type { Socket } from "node:net";
import { type Readable, Writable } from "node:stream";
import { connectSocket, handshake } from "./control-socket.ts";
import { attachTo, frame } from "./tags.ts";

/** The streams to attach; those that are false stay with the log alone. */
export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** The streams of a process; destroying both detaches, and the process goes on. */
export interface Attachment {
  /**
   * Its standard input, whose end closes it where the plan says so; bytes are dropped when
   * `stdin` was not asked for. Closes when the process has ended, at the latest.
   */
  readonly input: Writable;
  /** Its output from now on: Docker's 8-byte framed streams of pipes, or a terminal's raw bytes. */
  readonly output: Readable;
}

/**
 * Attaches to a process through its monitor. When the promise resolves the attach is in
 * effect, so nothing is missed between CREATED and GO. A reader that does not read makes
 * the process wait, as in Docker.
 *
 * Each direction has a connection of its own: the process may end while there is input
 * for it, and a socket that fails to write is closed with all that could be read from it.
 * Neither stream needs a listener for errors: a broken one is one that has closed.
 */
export async function attach(socketPath: string, options: AttachOptions): Promise<Attachment> {
  const { stdin, stdout, stderr } = options;
  const output = await connect(
    socketPath,
    (stdout ? attachTo.STDOUT : 0) | (stderr ? attachTo.STDERR : 0),
  );
  if (!stdin) return { input: discarding(), output };
  try {
    return { input: await connectInput(socketPath), output };
  } catch (error) {
    output.destroy();
    throw error;
  }
}

async function connect(socketPath: string, streams: number): Promise<Socket> {
  const socket = await connectSocket(socketPath);
  await handshake(socket, socketPath, [frame.ATTACH, streams]);
  socket.on("error", () => socket.destroy());
  return socket;
}

async function connectInput(socketPath: string): Promise<Writable> {
  const socket = await connect(socketPath, attachTo.STDIN);
  // The monitor sends nothing here; it hangs up once the process has ended.
  socket.once("end", () => socket.destroy());
  return socket.resume();
}

function discarding(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
