import { Fault } from "#base";
import { addon } from "./addon.ts";
import { check, errnoFault, errnoName } from "./errno.ts";
import type { Fd } from "./fd.ts";
import { dropReports, holdLoop, newReport, releaseLoop } from "./reports.ts";

const EPOLLIN = 0x001;
const EPOLLOUT = 0x004;
const EPOLLERR = 0x008;
const EPOLLHUP = 0x010;
const EPOLLRDHUP = 0x2000;

/** Read in one go at most, so that a flood on one channel leaves the others their turn. */
const READ_SIZE = 64 << 10;
const READS_PER_TURN = 4;
/** The buffer of read(2); a copy of the bytes that came goes to the receiver. */
const scratch = new Uint8Array(READ_SIZE);

/** How much a channel holds for a slow reader. */
export interface ChannelOptions {
  /** Bytes that may wait to be written; beyond it `write` is an `exhausted` fault. 16 MiB by default. */
  readonly writeLimit?: number;
}

/**
 * A duplex stream over any pollable descriptor, which it owns and makes non-blocking.
 *
 * Reading begins with `onData` and stops with `pause`; unread bytes stay in the kernel, so a flood
 * costs no memory here. `onEnd` comes once: without a fault when the other end closed, with one
 * when the descriptor failed, never after `close`. A channel does not keep the process alive unless
 * `ref` is called.
 */
export class Channel implements Disposable {
  readonly #fd: Fd;
  readonly #id: number;
  readonly #writeLimit: number;
  #data: ((bytes: Uint8Array) => void) | undefined;
  #end: ((fault?: Fault) => void) | undefined;
  #drain: (() => void) | undefined;
  #paused = false;
  #ended = false;
  #endFault: Fault | undefined;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #ending = false;
  #writable = true;
  #watched = false;
  #held = false;

  constructor(fd: Fd, options: ChannelOptions = {}) {
    this.#writeLimit = options.writeLimit ?? 16 << 20;
    check(addon().setBlocking(fd.number, 0), { call: "fcntl", verb: "prepare a descriptor" });
    this.#fd = fd;
    this.#id = newReport((events) => this.#ready(events));
  }

  /** False after `close`; the other end's closing does not change it. */
  get isOpen(): boolean {
    return this.#fd.isOpen;
  }

  /** Bytes accepted by `write` that the kernel has not taken yet. */
  get pending(): number {
    return this.#queued;
  }

  /** The receiver owns the bytes it gets. */
  onData(receive: (bytes: Uint8Array) => void): void {
    this.#data = receive;
    this.#watch();
  }

  /** Called once; at once when the end is past. See the class for the fault. */
  onEnd(receive: (fault?: Fault) => void): void {
    this.#end = receive;
    if (this.#ended) queueMicrotask(() => this.#tellEnd());
    else this.#watch();
  }

  /** Called each time that everything queued has been written. */
  onDrain(receive: () => void): void {
    this.#drain = receive;
  }

  /** No more data until `resume`; the kernel's buffers fill and hold the other end back. */
  pause(): void {
    this.#paused = true;
  }

  /** Takes `pause` back; without a `pause` nothing happens. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#watch();
  }

  /**
   * Writes at once the bytes that the kernel takes and queues a copy of the rest. False when bytes
   * wait: a polite writer then waits for `onDrain`. Bytes for an end that is gone are dropped;
   * `onEnd` says so. `exhausted` when more than the limit would wait.
   */
  write(bytes: Uint8Array): boolean {
    if (!this.isOpen || this.#ending)
      throw new Fault("conflict", "cannot write: the channel is closed for writing");
    if (!this.#writable) return true;
    let rest = bytes;
    if (this.#queue.length === 0) {
      const put = this.#put(bytes);
      if (put < 0) return true;
      rest = bytes.subarray(put);
    }
    if (rest.byteLength === 0) return true;
    if (this.#queued + rest.byteLength > this.#writeLimit)
      throw new Fault(
        "exhausted",
        `cannot write: the other end is too slow, ${this.#queued} bytes are waiting already`,
      );
    this.#queue.push(rest.slice());
    this.#queued += rest.byteLength;
    this.#watch();
    return false;
  }

  /**
   * All of a few bytes at once, with copies of the descriptors (SCM_RIGHTS, unix(7)); false when the
   * kernel takes neither now.
   */
  writeWith(bytes: Uint8Array, fds: readonly Fd[]): boolean {
    if (!this.isOpen || !this.#writable || this.#ending || this.#queue.length > 0) return false;
    const numbers = Int32Array.from(fds, (fd) => fd.number);
    return addon().sendDescriptors(this.#fd.number, bytes, numbers) === bytes.byteLength;
  }

  /** No more writing: once the queue is empty, the other end of a socket reads its end. Reading goes on. */
  end(): void {
    if (this.#ending || !this.isOpen) return;
    this.#ending = true;
    if (this.#queue.length === 0) this.#shutdown();
  }

  /** Closes at once; queued bytes are lost. */
  close(): void {
    if (!this.isOpen) return;
    dropReports(this.#id);
    if (this.#watched) addon().unwatch(this.#fd.number);
    this.#fd.close();
    this.#queue = [];
    this.#queued = 0;
    this.unref();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Keeps the process alive until `unref`, `close` or the end of the stream. */
  ref(): this {
    if (!this.#held && this.isOpen && !this.#ended) {
      this.#held = true;
      holdLoop();
    }
    return this;
  }

  /** Takes `ref` back; the process may end while the channel is open. */
  unref(): this {
    if (this.#held) {
      this.#held = false;
      releaseLoop();
    }
    return this;
  }

  /** The number of bytes taken, 0 when the write would block, -1 when the other end is gone. */
  #put(bytes: Uint8Array): number {
    const put = addon().write(this.#fd.number, bytes);
    if (put >= 0) return put;
    const name = errnoName(-put);
    if (name === "EAGAIN") return 0;
    this.#writable = false;
    this.#queue = [];
    this.#queued = 0;
    // EPIPE and ECONNRESET mean that the other end is gone; any other error is a failure.
    const gone = name === "EPIPE" || name === "ECONNRESET";
    if (!gone) this.#finish(errnoFault(-put, { call: "write", verb: "write to a channel" }));
    else this.#watch();
    return -1;
  }

  #watch(): void {
    if (!this.isOpen) return;
    let events = 0;
    const reads = !this.#ended && !this.#paused && this.#data !== undefined;
    if (reads) events |= EPOLLIN;
    if (this.#queue.length > 0) events |= EPOLLOUT;
    // Without a receiver of data only a hang-up can be seen; EPOLLHUP and EPOLLERR always come along.
    const waits = events !== 0 || (!this.#ended && !this.#paused && this.#end !== undefined);
    if (!waits) return;
    check(addon().watch(this.#fd.number, this.#id, events), {
      call: "epoll_ctl",
      verb: "watch a descriptor",
    });
    this.#watched = true;
  }

  #ready(events: number): void {
    try {
      if ((events & EPOLLOUT) !== 0) this.#flush();
      const hangup = (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) !== 0;
      if (!this.#ended && this.isOpen && (hangup || (events & EPOLLIN) !== 0)) {
        if (this.#data !== undefined && !this.#paused) this.#read();
        else if (hangup && this.#data === undefined) this.#finish();
      }
    } finally {
      // Also when a receiver threw: the next bytes are for it too.
      this.#watch();
    }
  }

  #flush(): void {
    while (this.#queue.length > 0) {
      const first = this.#queue[0] as Uint8Array;
      const put = this.#put(first);
      if (put < 0) return;
      this.#queued -= put;
      if (put < first.byteLength) {
        this.#queue[0] = first.subarray(put);
        return;
      }
      this.#queue.shift();
    }
    if (this.#ending) this.#shutdown();
    this.#drain?.();
  }

  #shutdown(): void {
    // ENOTSOCK: a pipe has no halves, closing is its end. ENOTCONN: the other end is gone already.
    if (errnoName(-addon().shutdownWrite(this.#fd.number)) === "ENOTSOCK") this.close();
  }

  #read(): void {
    for (let turn = 0; turn < READS_PER_TURN; turn++) {
      const got = addon().read(this.#fd.number, scratch, -1);
      if (got < 0) {
        const name = errnoName(-got);
        if (name === "EAGAIN") return;
        // EIO is how a pty master ends; ECONNRESET how a socket does with unread bytes.
        if (name === "EIO" || name === "ECONNRESET") this.#finish();
        else this.#finish(errnoFault(-got, { call: "read", verb: "read from a channel" }));
        return;
      }
      if (got === 0) {
        this.#finish();
        return;
      }
      this.#data?.(scratch.slice(0, got));
      // The receiver may have closed or paused; a short read says that nothing is left.
      if (!this.isOpen || this.#paused || got < READ_SIZE) return;
    }
  }

  #finish(fault?: Fault): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#endFault = fault;
    this.unref();
    this.#tellEnd();
  }

  #tellEnd(): void {
    const end = this.#end;
    this.#end = undefined;
    if (this.isOpen) end?.(this.#endFault);
  }
}

/** A `Channel` over the descriptor, which belongs to it from then on. */
export function openChannel(fd: Fd, options: ChannelOptions = {}): Channel {
  return new Channel(fd, options);
}
