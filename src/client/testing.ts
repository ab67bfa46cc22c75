import type { Connection } from "./connection.ts";

/** A connection whose peer sends these pieces, one for each read, and takes what is written. */
export class ScriptedConnection implements Connection {
  readonly written: Uint8Array[] = [];
  ended = false;
  closed = false;
  readonly #pieces: (Uint8Array | Error)[];

  constructor(pieces: readonly (string | Uint8Array | Error)[]) {
    this.#pieces = pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece));
  }

  get text(): string {
    return Buffer.concat(this.written).toString();
  }

  write(bytes: Uint8Array): Promise<void> {
    this.written.push(new Uint8Array(bytes));
    return Promise.resolve();
  }

  read(): Promise<Uint8Array | undefined> {
    const next = this.closed ? undefined : this.#pieces.shift();
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
  }

  end(): void {
    this.ended = true;
  }

  close(): void {
    this.closed = true;
  }
}
