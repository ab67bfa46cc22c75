import { PassThrough, type Readable, type Writable } from "node:stream";
import { type ContainerId, endOf, Fault, faultOf } from "#base";
import type { Task, TaskStreams } from "#task";
import type { AttachedStream, AttachRequest } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { logFrames } from "./container-logs.ts";
import { type ContainerRecord, isUp } from "./container-record.ts";

/** Attaches that wait for a start; more on one container is a mistake or an attack. The monitor takes some more. */
const maxPending = 1000;

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

  /**
   * Connects everyone who waits to a task that is not started yet: not one byte
   * is missed. One that cannot be connected loses its streams and nothing else.
   */
  async connect(id: ContainerId, task: Task): Promise<void> {
    const waiting = [...(this.#waiting.get(id) ?? [])];
    this.#waiting.delete(id);
    await Promise.all(
      waiting.map(async ({ request, input, output }) => {
        const { stdin, stdout, stderr } = request;
        try {
          bridge(await task.attach({ stdin, stdout, stderr }), { input, output });
        } catch (error) {
          output.destroy(faultOf(error));
          input.destroy();
        }
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

/** Both directions between a client's streams and the monitor; destroying the client's output detaches. */
function bridge(attachment: TaskStreams, client: Pick<Pending, "input" | "output">): void {
  const detach = () => {
    attachment.input.destroy();
    attachment.output.destroy();
  };
  client.output.once("close", detach);
  if (client.output.destroyed) detach();
  attachment.input.once("close", () => client.input.destroy());
  client.input.pipe(attachment.input);
  passOn(attachment.output, client.output);
}

/** A source that is gone is the end of the output, however it went. */
function passOn(source: Readable, output: PassThrough): void {
  source.pipe(output, { end: false });
  void endOf(source).then(() => output.end());
}

/**
 * Attaches to a container, running or about to be started. Never stops it: when the
 * streams are destroyed, the container goes on.
 */
export async function attachContainer(
  parts: Parts<"paths" | "store" | "live" | "pendingAttaches">,
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
  const hasStreams = wanted.stdin || request.stdout || request.stderr;
  const streams =
    request.stream && hasStreams
      ? await openStreams(parts, record, wanted)
      : { input: new PassThrough(), output: endedStream() };
  const output = request.logs
    ? replayed(logFrames(parts, record, { ...request, follow: false }), streams.output)
    : streams.output;
  return attachedStream(streams.input, output, tty);
}

async function openStreams(
  parts: Parts<"live" | "pendingAttaches">,
  { id, state }: ContainerRecord,
  request: AttachRequest,
): Promise<{ readonly input: Writable; readonly output: Readable }> {
  const live = parts.live.get(id);
  // A run that has ended is there until its mounts are let go; who attaches now means the next one.
  if (!live || !isUp(state)) return parts.pendingAttaches.add(id, request);
  const { stdin, stdout, stderr } = request;
  return await live.task.attach({ stdin, stdout, stderr });
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
    passOn(live, output);
  };
  output.once("close", () => live.destroy());
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
