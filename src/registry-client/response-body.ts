import type { IncomingMessage } from "node:http";
import { Fault } from "#base";
import { droppedFault, exchangeFault } from "./connection-fault.ts";

/** Less than this in the time of a stall, all of it spent waiting, is as good as nothing: who drips would hold us for ever. */
const leastBytes = 4 << 10;

/** The connection that is read from or written to. */
interface Peer {
  readonly about: string;
  /** Why it was closed, when we closed it. */
  readonly failure: Error | undefined;
  close(reason: Error): void;
}

interface BodyOptions {
  /** In bytes; undefined when it was not announced. */
  readonly length: number | undefined;
  /** Milliseconds. */
  readonly stall: number;
  readonly peer: Peer;
  /** Called at the end: whether all of it came. */
  readonly over: (complete: boolean) => void;
}

/** The body of an answer, to be read once. A drop is `unavailable`, a stall closes the connection and is `timeout`. */
export async function* readBody(
  message: IncomingMessage,
  { length, stall, peer, over }: BodyOptions,
): AsyncGenerator<Uint8Array> {
  const parts: AsyncIterator<Uint8Array> = message[Symbol.asyncIterator]();
  let left = length ?? 0;
  let complete = false;
  // Since the last `leastBytes`.
  let waited = 0;
  let received = 0;
  const when = () =>
    left > 0 ? `with ${left} of ${length} bytes missing` : "in the middle of its answer";
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    if (message.readableLength > 0 || message.readableEnded) return await parts.next();
    const begun = performance.now();
    const work = () => parts.next();
    const result = await unlessStalled(peer, stall, "sends no more data", work, waited);
    waited += performance.now() - begun;
    return result;
  };
  try {
    for (;;) {
      const result = await next().catch((error: unknown) => {
        throw peer.failure ?? exchangeFault(peer.about, error, when());
      });
      if (result.done) break;
      const { byteLength } = result.value;
      left -= byteLength;
      received += byteLength;
      if (received >= leastBytes) {
        received = 0;
        waited = 0;
      }
      yield result.value;
    }
    if (!message.complete) throw peer.failure ?? droppedFault(peer.about, when());
    complete = true;
  } finally {
    over(complete);
  }
}

/** Closes the connection when `work` takes longer than the limit, of which `gone` has passed (milliseconds). */
export async function unlessStalled<T>(
  peer: Peer,
  limit: number,
  complaint: string,
  work: () => Promise<T>,
  gone = 0,
): Promise<T> {
  const late = () => peer.close(stallFault(peer.about, limit, complaint));
  const timer = setTimeout(late, Math.max(0, limit - gone));
  try {
    return await work();
  } finally {
    clearTimeout(timer);
  }
}

/** `timeout`. `complaint`: "does not answer"; `limit` in milliseconds. */
export function stallFault(about: string, limit: number, complaint: string): Fault {
  return new Fault("timeout", `${about} ${complaint} (waited ${limit / 1000} s)`, { about });
}
