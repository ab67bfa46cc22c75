import { MULTIPLEXED_STREAM } from "#wire";
import type { Connection } from "./connection.ts";
import { demux, type OutputPart } from "./demux.ts";
import type { HttpResponse } from "./http.ts";
import type { ProcessStream } from "./process-stream.ts";

/** The input and output of a process, over a hijacked connection. */
export class AttachedStream implements ProcessStream {
  readonly #connection: Connection;
  readonly #framed: boolean;
  readonly #onSystem: ((text: string) => void) | undefined;

  /**
   * `onSystem` takes the engine's last word, which comes in a frame of its own and ends the output;
   * without it such a frame is an error, as in Docker's API.
   */
  constructor(response: HttpResponse, onSystem?: (text: string) => void) {
    this.#onSystem = onSystem;
    this.#connection = response.hijack();
    this.#framed = response.headers.get("content-type") === MULTIPLEXED_STREAM;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#connection.write(bytes);
  }

  end(): void {
    this.#connection.end();
  }

  close(): void {
    this.#connection.close();
  }

  output(): AsyncIterable<OutputPart> {
    return this.#framed ? demux(this.#raw(), this.#onSystem) : this.#terminal();
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
