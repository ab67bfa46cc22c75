import type { TarHeader, TarLimits } from "./header.ts";
import { TarReader } from "./reader.ts";

/** A member of an archive with its content. */
export interface TarEntry extends TarHeader {
  /**
   * The content, holes as zeros. Read it before asking for the next entry; bytes that
   * were not read are skipped.
   */
  readonly body: AsyncIterable<Uint8Array>;
}

type Event =
  | { readonly kind: "entry"; readonly header: TarHeader }
  | { readonly kind: "data"; readonly bytes: Uint8Array; readonly offset: number }
  | { readonly kind: "end" };

const zeros = new Uint8Array(65536);

/** The reader's events, one after another, pulled from the source as they are needed. */
class EventQueue {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #reader: TarReader;
  #events: Event[] = [];
  #next = 0;
  #ended = false;

  constructor(source: AsyncIterable<Uint8Array>, limits: Partial<TarLimits>) {
    this.#source = source[Symbol.asyncIterator]();
    this.#reader = new TarReader(
      {
        entry: (header) => this.#events.push({ kind: "entry", header }),
        data: (bytes, offset) => this.#events.push({ kind: "data", bytes, offset }),
        end: () => this.#events.push({ kind: "end" }),
      },
      limits,
    );
  }

  async next(): Promise<Event | undefined> {
    while (this.#next === this.#events.length) {
      if (this.#ended) return undefined;
      this.#events = [];
      this.#next = 0;
      const chunk = await this.#source.next();
      this.#ended = chunk.done === true;
      if (chunk.done) this.#reader.finish();
      else this.#reader.push(chunk.value);
    }
    return this.#events[this.#next++];
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.#source.return?.();
  }
}

/**
 * The members of an archive, in order. The source is read to its end, so that its sender can
 * finish; leaving the loop early closes it. Throws the faults of TarReader.
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
  limits: Partial<TarLimits> = {},
): AsyncGenerator<TarEntry, void> {
  const queue = new EventQueue(source, limits);
  try {
    for (let event = await queue.next(); event; event = await queue.next()) {
      if (event.kind !== "entry") continue;
      const content = body(queue, event.header.size);
      yield { ...event.header, body: content };
      for await (const _ of content);
    }
  } finally {
    await queue.close();
  }
}

async function* body(queue: EventQueue, size: number): AsyncGenerator<Uint8Array, void> {
  let at = 0;
  for (let event = await queue.next(); event; event = await queue.next()) {
    const until = event.kind === "data" ? event.offset : size;
    while (at < until) {
      const hole = zeros.subarray(0, Math.min(zeros.length, until - at));
      at += hole.length;
      yield hole;
    }
    if (event.kind !== "data") return;
    at += event.bytes.length;
    yield event.bytes;
  }
}
