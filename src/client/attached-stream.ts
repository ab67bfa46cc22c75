import { MULTIPLEXED_STREAM } from "#wire";
import type { Connection } from "./connection.ts";
import { demux, type OutputPart } from "./demux.ts";
import type { HttpResponse } from "./http.ts";

/** The input and output of a process, over a hijacked connection. */
export class AttachedStream {
  readonly #connection: Connection;
  readonly #framed: boolean;

  constructor(response: HttpResponse) {
    this.#connection = response.hijack();
    this.#framed = response.headers.get("content-type") === MULTIPLEXED_STREAM;
  }

  /** Input for the process; settles once it has left for the kernel. */
  write(bytes: Uint8Array): Promise<void> {
    return this.#connection.write(bytes);
  }

  /** The end of the input; output goes on. */
  end(): void {
    this.#connection.end();
  }

  /** Detaches at once. */
  close(): void {
    this.#connection.close();
  }

  /** What the process writes, until it has ended or the stream is closed; a terminal's output is all `stdout`. */
  output(): AsyncIterable<OutputPart> {
    return this.#framed ? demux(this.#raw()) : this.#terminal();
  }

  async *#raw(): AsyncGenerator<Uint8Array> {
    for (let bytes = await this.#connection.read(); bytes; bytes = await this.#connection.read()) {
      yield bytes;
    }
  }

  async *#terminal(): AsyncGenerator<OutputPart> {
    for await (const bytes of this.#raw()) yield { stream: "stdout", bytes };
  }
}
