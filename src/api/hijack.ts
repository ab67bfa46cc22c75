import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { endOf, Fault, poll } from "#base";
import type { AttachedStream } from "#engine";
import type { DetachFilter } from "#wire";

/** A connection that is no longer HTTP. */
export interface RawConnection<Stream extends RawStream = RawStream> {
  readonly socket: Stream;
  /** The bytes that the client has sent already. */
  readonly early: Uint8Array;
  /** Settles once the client has read the head of our answer, or is gone. */
  headTaken(): Promise<void>;
}

/** A socket, or a protocol on one, that carries bytes both ways. */
type RawStream = Duplex & { destroySoon(): void };

/** How long a client may take to send a body with an upgrade, and to close after our end. */
const patienceMs = 30_000;
const lingerMs = 5_000;

/**
 * Reads the body of a request that asked for an upgrade. The runtime hands it out in
 * one of two ways: on the request, or (a connection that we accepted ourselves) among
 * the raw bytes: first `head`, then the socket.
 */
export async function takeUpgradeBody(
  request: IncomingMessage,
  head: Uint8Array,
  length: number,
): Promise<{ readonly body: Uint8Array; readonly rest: Uint8Array }> {
  if (length === 0) return { body: new Uint8Array(0), rest: head };
  const { socket } = request;
  const parsed: Uint8Array[] = [];
  const raw: Uint8Array[] = [head];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const check = () => {
    if (sizeOf(parsed) >= length || sizeOf(raw) >= length) resolve();
  };
  const fail = () =>
    reject(new Fault("invalid", `the request body ended before its ${length} bytes`));
  const onParsed = (bytes: Uint8Array) => {
    parsed.push(bytes);
    check();
  };
  const onRaw = (bytes: Uint8Array) => {
    raw.push(bytes);
    check();
  };
  const timer = setTimeout(fail, patienceMs);
  request.on("data", onParsed);
  socket.on("data", onRaw).on("end", fail).on("close", fail);
  check();
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    socket.pause();
    request.off("data", onParsed);
    socket.off("data", onRaw).off("end", fail).off("close", fail);
  }
  const bytes = Buffer.concat(raw);
  if (sizeOf(parsed) >= length) return { body: Buffer.concat(parsed), rest: bytes };
  return { body: bytes.subarray(0, length), rest: bytes.subarray(length) };
}

function sizeOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
}

/** Ends what the HTTP server does with a connection; bytes that come wait in it. */
export function releaseSocket(socket: Socket): void {
  for (const event of ["data", "end", "drain", "finish", "error", "timeout"])
    socket.removeAllListeners(event);
  socket.on("error", () => socket.destroy());
  socket.pause();
}

export interface TakeOver {
  /** As "101 UPGRADED". */
  readonly status: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes that it has sent behind its request. */
  readonly early: Uint8Array;
  /** 0 when the client has read all that was sent to it. */
  readonly untaken: () => number;
}

/** Takes a connection from the HTTP server and answers for it; the stream is unframed by HTTP. */
export function takeOver(
  response: ServerResponse,
  { status, headers, early, untaken }: TakeOver,
): RawConnection<Socket> {
  const { socket } = response;
  if (!socket || socket.destroyed)
    throw new Fault("canceled", "the client closed the connection before its stream began");
  response.detachSocket(socket);
  releaseSocket(socket);
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.write(`${[`HTTP/1.1 ${status}`, ...fields].join("\r\n")}\r\n\r\n`);
  return {
    socket,
    early,
    async headTaken() {
      const isTaken = () => socket.destroyed || untaken() <= 0;
      await poll(isTaken, { attempts: Number.POSITIVE_INFINITY, base: 1, max: 50 });
    },
  };
}

export interface JoinOptions {
  /** Whether the client's bytes go to the program. */
  readonly stdin: boolean;
  readonly detach?: DetachFilter;
}

/**
 * Joins a client and a process until the output ends, the client leaves, or the detach
 * keys come. The client's half-close ends the input only. Lets go of both.
 */
export async function join(
  connection: RawConnection,
  attached: AttachedStream,
  options: JoinOptions,
): Promise<void> {
  const { socket } = connection;
  const over = Promise.withResolvers<void>();
  try {
    void endOf(attached.output).then(over.resolve);
    socket.once("close", over.resolve);
    if (socket.destroyed) over.resolve();
    feed(connection, attached, options, over.resolve);
    // Clients read the head through a buffer that they throw away with the bytes in it.
    await connection.headTaken();
    attached.output.pipe(socket, { end: false });
    await over.promise;
  } finally {
    attached.output.unpipe(socket);
    await attached[Symbol.asyncDispose]();
    leave(socket);
  }
}

function feed(
  { socket, early }: RawConnection,
  { input }: AttachedStream,
  { stdin, detach }: JoinOptions,
  stop: () => void,
): void {
  let open = stdin;
  const drop = () => {
    open = false;
    socket.resume();
  };
  // A program that closed its input is no reason to end the stream: the rest is dropped.
  input.on("error", drop).once("close", drop);
  const take = (bytes: Uint8Array) => {
    if (!open || bytes.byteLength === 0) return;
    const result = detach?.push(bytes) ?? { pass: bytes, detach: false };
    if (result.pass.byteLength > 0 && !input.write(result.pass)) {
      socket.pause();
      input.once("drain", () => socket.resume());
    }
    if (result.detach) {
      open = false;
      stop();
    }
  };
  const end = () => {
    if (open) input.end();
    open = false;
  };
  take(early);
  socket.on("data", take).once("end", end);
  if (socket.readableEnded) end();
  socket.resume();
}

/**
 * Ends our side and waits for the client's, so that it reads all of ours; bytes that it still sends
 * are dropped.
 */
export function leave(socket: RawStream): void {
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  timer.unref();
  socket.once("close", () => clearTimeout(timer));
  socket.once("end", () => socket.destroySoon());
  socket.removeAllListeners("data");
  socket.end();
  socket.resume();
  if (socket.readableEnded) socket.destroySoon();
}
