import { idBytes } from "./chunk-id.ts";

/** Where a chunk is: in a frame, from an offset of its plain bytes on. */
export interface ChunkPlace {
  readonly frame: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * Chunks by id, each with a number in the order in which they came, and its place. In typed arrays,
 * about 60 bytes a chunk: a volume may have a million.
 */
export class ChunkTable {
  #ids = new Uint8Array(1024 * idBytes);
  #places = new Uint32Array(1024 * 3);
  /** Open addressing: the number plus one; 0 is free. */
  #slots = new Uint32Array(4096);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The number of a chunk; -1 when it is not there. */
  find(id: Uint8Array): number {
    return (this.#slots[this.#slotOf(id)] as number) - 1;
  }

  /** Adds a chunk that is not there yet; its number. */
  add(id: Uint8Array, { frame, offset, length }: ChunkPlace): number {
    if (this.#count * idBytes === this.#ids.length) this.#grow();
    const number = this.#count++;
    this.#ids.set(id, number * idBytes);
    this.#places.set([frame, offset, length], number * 3);
    this.#slots[this.#slotOf(id)] = number + 1;
    return number;
  }

  /** A view of the id. */
  idOf(number: number): Uint8Array {
    return this.#ids.subarray(number * idBytes, (number + 1) * idBytes);
  }

  /** The place that it was added with. */
  placeOf(number: number): ChunkPlace {
    const [frame = 0, offset = 0, length = 0] = this.#places.subarray(number * 3, number * 3 + 3);
    return { frame, offset, length };
  }

  #grow(): void {
    this.#ids = grown(this.#ids, new Uint8Array(this.#ids.length * 2));
    this.#places = grown(this.#places, new Uint32Array(this.#places.length * 2));
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let number = 0; number < this.#count; number++)
      this.#slots[this.#slotOf(this.idOf(number))] = number + 1;
  }

  /** The slot that has the id, or the free one for it. */
  #slotOf(id: Uint8Array): number {
    const mask = this.#slots.length - 1;
    let slot = firstWord(id) & mask;
    for (let held = this.#slots[slot]; held; held = this.#slots[slot]) {
      if (this.#isAt(held - 1, id)) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #isAt(number: number, id: Uint8Array): boolean {
    const start = number * idBytes;
    for (let i = 0; i < idBytes; i++) if (this.#ids[start + i] !== id[i]) return false;
    return true;
  }
}

/** Four bytes of an id as a number: ids are even. */
export function firstWord(id: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = id;
  return a | (b << 8) | (c << 16) | (d << 24);
}

function grown<T extends Uint8Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
