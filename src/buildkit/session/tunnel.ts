import { Duplex } from "node:stream";

/** A connection within a call: what comes is read from its messages, what is written is sent as such. */
export class Tunnel extends Duplex {
  readonly #incoming: AsyncIterator<{ readonly data: Uint8Array }>;
  readonly #outgoing: Uint8Array[] = [];
  #written = Promise.withResolvers<void>();
  /** Continues a write once what was written has been taken. */
  #taken: (() => void) | undefined;
  #hasEnded = false;

  constructor(incoming: AsyncIterable<{ readonly data: Uint8Array }>) {
    super({ allowHalfOpen: false });
    this.#incoming = incoming[Symbol.asyncIterator]();
  }

  /** What is to be sent, until the connection ends. */
  async *outgoing(): AsyncGenerator<{ readonly data: Uint8Array }, void> {
    for (;;) {
      for (let data = this.#outgoing.shift(); data; data = this.#outgoing.shift()) yield { data };
      this.#taken?.();
      this.#taken = undefined;
      if (this.#outgoing.length > 0) continue;
      if (this.#hasEnded) return;
      await this.#written.promise;
      this.#written = Promise.withResolvers();
    }
  }

  override _read(): void {
    this.#incoming.next().then(
      ({ done, value }) => {
        if (!done) return void this.push(Buffer.from(value.data));
        // The client waits for the end of the call after its own.
        this.push(null);
        this.#end();
      },
      (error) => this.destroy(error),
    );
  }

  override _write(bytes: Uint8Array, _: string, callback: () => void): void {
    this.#outgoing.push(bytes);
    this.#taken = callback;
    this.#written.resolve();
  }

  override _final(callback: () => void): void {
    this.#end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#end();
    callback(error);
  }

  #end(): void {
    this.#hasEnded = true;
    this.#written.resolve();
  }
}
