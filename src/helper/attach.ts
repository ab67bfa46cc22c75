import type { Socket } from "node:net";
import { type Readable, Writable } from "node:stream";
import { connectSocket, handshake, socketOf } from "./control-socket.ts";
import type { Launch } from "./launch.ts";
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
  const output = await connect(socketPath, outputOf(options));
  if (!options.stdin) return { input: discarding(), output };
  try {
    return { input: inputOf(await connect(socketPath, attachTo.STDIN)), output };
  } catch (error) {
    output.destroy();
    throw error;
  }
}

/**
 * As `attach` for a launch that was not told to go, at once: nothing is connected, and no answer is
 * awaited. Undefined where that cannot be.
 */
export function attachLaunch(launch: Launch, options: AttachOptions): Attachment | undefined {
  const output = launch.attach(outputOf(options));
  const input = output && options.stdin ? launch.attach(attachTo.STDIN) : undefined;
  if (!output || (options.stdin && !input)) {
    output?.close();
    return undefined;
  }
  return {
    input: input ? inputOf(withoutErrors(socketOf(input))) : discarding(),
    output: withoutErrors(socketOf(output)),
  };
}

function outputOf({ stdout, stderr }: AttachOptions): number {
  return (stdout ? attachTo.STDOUT : 0) | (stderr ? attachTo.STDERR : 0);
}

async function connect(socketPath: string, streams: number): Promise<Socket> {
  const socket = await connectSocket(socketPath);
  await handshake(socket, socketPath, [frame.ATTACH, streams]);
  return withoutErrors(socket);
}

function withoutErrors(socket: Socket): Socket {
  return socket.on("error", () => socket.destroy());
}

function inputOf(socket: Socket): Writable {
  // The monitor sends nothing here; it hangs up once the process has ended.
  socket.once("end", () => socket.destroy());
  return socket.resume();
}

function discarding(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
