/** Unread bytes at which a socket is paused; with one read of the kernel on top, what a slow reader holds. */
const highWater = 256 << 10;

interface Flow {
  pause(): unknown;
  resume(): unknown;
}

/**
 * The read side of a connection: what the socket pushes, until the reader pulls it.
 * The socket is paused while unread bytes wait, so a slow reader slows the peer.
 */
export class Inbound {
  readonly #flow: Flow;
  readonly #queue: Uint8Array[] = [];
  #size = 0;
  #paused = false;
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(flow: Flow) {
    this.#flow = flow;
  }

  push(bytes: Uint8Array): void {
    if (this.#ended || bytes.byteLength === 0) return;
    this.#queue.push(bytes);
    this.#size += bytes.byteLength;
    if (this.#size >= highWater && !this.#paused) {
      this.#paused = true;
      this.#flow.pause();
    }
    this.#wake?.();
  }

  /** No more input: what is queued can still be read, then comes the error. The first call counts. */
  finish(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wake?.();
  }

  /** Ends at once: what is queued is forgotten. */
  drop(error?: Error): void {
    this.#queue.length = 0;
    this.#size = 0;
    this.#ended = true;
    this.#error ??= error;
    this.#wake?.();
  }

  get ended(): boolean {
    return this.#ended;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** Bytes back at the front, to be read again. */
  unread(bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return;
    this.#queue.unshift(bytes);
    this.#size += bytes.byteLength;
  }

  /** The next bytes, never empty; undefined at the peer's end. One reader at a time. */
  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const next = this.#queue.shift();
      if (next) {
        this.#size -= next.byteLength;
        if (this.#paused && this.#size < highWater / 2) {
          this.#paused = false;
          this.#flow.resume();
        }
        return next;
      }
      if (this.#error) throw this.#error;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}
