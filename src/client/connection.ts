import { defined, Fault } from "#base";
import { formatHost, type Host } from "./host.ts";

/**
 * One byte stream to an engine, pulled by its reader: nothing more is taken from the
 * socket while unread bytes wait, so memory stays bounded whatever the peer sends.
 */
export interface Connection {
  /** Takes all of `bytes`, which must not change afterwards; settles once they have left for the kernel. */
  write(bytes: Uint8Array): Promise<void>;
  /** Half-close: after the queued bytes, nothing more will be written. */
  end(): void;
  /** The next bytes, never empty; undefined at the peer's end. One reader at a time. */
  read(): Promise<Uint8Array | undefined>;
  /** Closes both directions at once; a pending read ends as at the peer's end. */
  close(): void;
}

/** Unread bytes at which the socket is paused. */
const highWater = 256 * 1024;

/** The read side that every dialer shares: a queue between a socket that pushes and a reader that pulls. */
export class Inbox {
  readonly #queue: Uint8Array[] = [];
  readonly #flow: { pause(): void; resume(): void };
  #size = 0;
  #paused = false;
  #ended = false;
  #error: Error | undefined;
  #waiting: Deferred<Uint8Array | undefined> | undefined;

  constructor(flow: { pause(): void; resume(): void }) {
    this.#flow = flow;
  }

  push(bytes: Uint8Array): void {
    if (this.#ended || bytes.byteLength === 0) return;
    const waiting = this.#waiting;
    if (waiting) {
      this.#waiting = undefined;
      waiting.resolve(bytes);
      return;
    }
    this.#queue.push(bytes);
    this.#size += bytes.byteLength;
    if (this.#size >= highWater && !this.#paused) {
      this.#paused = true;
      this.#flow.pause();
    }
  }

  /** No more input; queued bytes can still be read. The first call counts. */
  finish(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (error) waiting?.reject(error);
    else waiting?.resolve(undefined);
  }

  read(): Promise<Uint8Array | undefined> {
    const next = this.#queue.shift();
    if (next) {
      this.#size -= next.byteLength;
      if (this.#paused && this.#size < highWater / 2) {
        this.#paused = false;
        this.#flow.resume();
      }
      return Promise.resolve(next);
    }
    if (this.#error) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve(undefined);
    this.#waiting = new Deferred();
    return this.#waiting.promise;
  }
}

/** Promise.withResolvers, which Node 20 lacks. */
export class Deferred<T> {
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;
  readonly promise = new Promise<T>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

/** Why a connection could not be made or broke, in words that help. */
export function connectionFault(host: Host, error: unknown): Fault {
  const errno = (error as { code?: unknown } | null)?.code;
  const code = typeof errno === "string" ? errno : undefined;
  const where = formatHost(host);
  const detail = { about: where, cause: error, ...defined({ errno: code }) };
  if (code === "EACCES" || code === "EPERM") {
    return new Fault(
      "denied",
      `permission denied on ${where}: run this as root (sudo thimble ...), or as a member of the group that owns the socket`,
      detail,
    );
  }
  const why =
    code === "ENOENT"
      ? "there is no such socket"
      : code === "ECONNREFUSED"
        ? "nothing listens there"
        : error instanceof Error
          ? error.message
          : String(error);
  return new Fault("unavailable", `cannot reach an engine at ${where}: ${why}`, detail);
}

/** A connection that ended in the middle of an answer: `unavailable`. */
export function brokenFault(host: Host, why: string): Fault {
  const where = formatHost(host);
  return new Fault("unavailable", `the connection to ${where} broke: ${why}`, { about: where });
}
