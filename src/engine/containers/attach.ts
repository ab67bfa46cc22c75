import { type Duplex, PassThrough, type Readable, type Writable } from "node:stream";
import { type ContainerId, Fault } from "#base";
import { attach as attachToMonitor } from "#helper";
import type { AttachedStream, AttachRequest } from "../contract.ts";
import type { EngineParts } from "../parts.ts";
import { renderLog } from "./container-logs.ts";

/** Attaches that wait for a start; more on one container is a mistake or an attack. */
const maxPending = 256;

interface Pending {
  readonly request: AttachRequest;
  readonly input: PassThrough;
  readonly output: PassThrough;
}

/** Streams of clients that attached before the start: the docker CLI does so for every `run`. */
export class PendingAttaches {
  readonly #waiting = new Map<ContainerId, Set<Pending>>();

  add(id: ContainerId, request: AttachRequest): Pending {
    const waiting = this.#waiting.get(id) ?? new Set<Pending>();
    if (waiting.size >= maxPending) {
      throw new Fault("exhausted", `${maxPending} clients wait for the start of container ${id}`);
    }
    this.#waiting.set(id, waiting);
    const pending: Pending = { request, input: new PassThrough(), output: new PassThrough() };
    waiting.add(pending);
    pending.output.once("close", () => {
      waiting.delete(pending);
      if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
    });
    return pending;
  }

  /** Connects everyone who waits to a monitor that has not been told to go: not one byte is missed. */
  async connect(id: ContainerId, socketPath: string): Promise<void> {
    const waiting = [...(this.#waiting.get(id) ?? [])];
    this.#waiting.delete(id);
    await Promise.all(
      waiting.map(async ({ request, input, output }) => {
        const { stdin, stdout, stderr } = request;
        bridge(await attachToMonitor(socketPath, { stdin, stdout, stderr }), input, output);
      }),
    );
  }

  /** The start failed or the container is gone: there will be no output. */
  end(id: ContainerId): void {
    for (const { input, output } of this.#waiting.get(id) ?? []) {
      output.end();
      input.destroy();
    }
    this.#waiting.delete(id);
  }
}

/** Both directions between a client's streams and the monitor; destroying the client's end detaches. */
function bridge(duplex: Duplex, input: Readable & Writable, output: PassThrough): void {
  const detach = () => {
    if (!duplex.destroyed) duplex.destroy();
  };
  input.once("error", detach);
  output.once("error", detach);
  output.once("close", detach);
  // A monitor that is gone is the end of the output, however it went.
  duplex.once("error", () => output.end());
  duplex.once("close", () => output.end());
  if (output.destroyed) {
    detach();
    return;
  }
  input.pipe(duplex);
  duplex.pipe(output);
}

/**
 * Attaches to a container, running or about to be started. Never stops it: when the
 * streams are destroyed, the container goes on.
 */
export async function attachContainer(
  parts: EngineParts,
  ref: string,
  request: AttachRequest,
): Promise<AttachedStream> {
  const record = parts.store.find(ref);
  const { Tty: tty } = record.config;
  // Docker: standard input counts only when the container keeps one.
  const wanted = { ...request, stdin: request.stdin && record.config.OpenStdin };
  if (record.state.status === "paused") {
    throw new Fault("conflict", `container ${ref} is paused, unpause it before attaching`);
  }
  const streams = request.stream
    ? await openStreams(parts, record.id, wanted)
    : { input: new PassThrough(), output: endedStream() };
  const output = request.logs
    ? replayed(renderLog(parts, record, { ...request, follow: false }), streams.output)
    : streams.output;
  return attachedStream(streams.input, output, tty);
}

async function openStreams(
  parts: EngineParts,
  id: ContainerId,
  request: AttachRequest,
): Promise<{ readonly input: Writable; readonly output: Readable }> {
  if (!parts.live.has(id)) return parts.pendingAttaches.add(id, request);
  const { stdin, stdout, stderr } = request;
  const duplex = await attachToMonitor(parts.paths.controlSocket(id), {
    stdin,
    stdout,
    stderr,
  });
  return { input: duplex, output: duplex };
}

function endedStream(): PassThrough {
  const stream = new PassThrough();
  stream.end();
  return stream;
}

/** The log first, then the live stream, which waits meanwhile. */
function replayed(log: AsyncIterable<Uint8Array>, live: Readable): Readable {
  const output = new PassThrough();
  const copy = async () => {
    for await (const chunk of log) {
      if (output.destroyed) return;
      if (!output.write(chunk)) await drained(output);
    }
    live.pipe(output);
  };
  output.once("close", () => live.destroy());
  live.once("error", () => output.end());
  copy().catch((error) => output.destroy(error));
  return output;
}

async function drained(stream: Writable): Promise<void> {
  await new Promise<void>((resolve) => {
    stream.once("drain", resolve);
    stream.once("close", resolve);
  });
}

/** Streams as their owner sees them; disposing detaches. */
export function attachedStream(input: Writable, output: Readable, tty: boolean): AttachedStream {
  return {
    input,
    output,
    tty,
    async [Symbol.asyncDispose]() {
      input.destroy();
      output.destroy();
    },
  };
}
