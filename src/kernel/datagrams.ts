import { addon } from "./addon.ts";
import { check, errnoName } from "./errno.ts";
import { Fd } from "./fd.ts";
import { dropReports, newReport } from "./reports.ts";

const EPOLLOUT = 0x004;
const EAGAIN = "EAGAIN";

/**
 * A datagram socket that is connected to the receiver at a unix socket's path of at most 107 bytes.
 * Faults as `connectUnix`.
 */
export class UnixDatagrams implements Disposable {
  readonly #fd: Fd;
  readonly #id: number;
  readonly #path: string;
  #writable: (() => void) | undefined;
  #watched = false;

  constructor(path: string) {
    const what = { call: "connect", verb: "connect to", about: path };
    this.#fd = new Fd(check(addon().unixDatagrams(path), what));
    this.#path = path;
    this.#id = newReport(() => this.#writable?.());
  }

  /**
   * Sends one datagram, once the receiver's queue takes it: one at a time. `unavailable` when the receiver
   * is gone, and after `close`.
   */
  async send(bytes: Uint8Array): Promise<void> {
    for (;;) {
      const sent = addon().write(this.#fd.number, bytes);
      if (sent >= 0 || errnoName(-sent) !== EAGAIN) {
        check(sent, { call: "send", verb: "send to", about: this.#path });
        return;
      }
      await this.#untilWritable();
    }
  }

  /** Ends a `send` that waits. */
  close(): void {
    if (!this.#fd.isOpen) return;
    dropReports(this.#id);
    if (this.#watched) addon().unwatch(this.#fd.number);
    this.#fd.close();
    this.#writable?.();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #untilWritable(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#writable = resolve;
    const what = { call: "epoll_ctl", verb: "watch the socket of", about: this.#path };
    check(addon().watch(this.#fd.number, this.#id, EPOLLOUT), what);
    this.#watched = true;
    await promise;
    this.#writable = undefined;
  }
}
