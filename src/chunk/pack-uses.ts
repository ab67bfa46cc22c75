import type { Digest } from "#image";
import type { Segment } from "./segment.ts";

const manySmall = 64;

/** How much of each pack the segments of a stream need. */
export class PackUses {
  readonly #sizes = new Map<Digest, number>();
  /** By pack: the bytes of each frame that is needed, by its offset. */
  readonly #frames = new Map<Digest, Map<number, number>>();

  /** Counts what a segment needs. */
  add({ packs, frames }: Segment): void {
    for (const { pack, offset, stored } of frames) {
      const found = packs[pack];
      if (!found) continue;
      this.#sizes.set(found.digest, found.size);
      const used = this.#frames.get(found.digest) ?? new Map<number, number>();
      this.#frames.set(found.digest, used.set(offset, stored));
    }
  }

  /**
   * The packs to go on with: those of which at least a quarter is needed, and small ones as long as
   * they are few. The chunks of others are written again, so that old packs go and their number
   * stays bounded.
   */
  worthwhile(packBytes: number): ReadonlySet<Digest> {
    const isSmall = (digest: Digest) => this.#sizeOf(digest) * 4 < packBytes;
    const used = [...this.#frames.keys()].filter(
      (digest) => this.#usedOf(digest) * 4 >= this.#sizeOf(digest),
    );
    const keepsSmall = used.filter(isSmall).length <= manySmall;
    return new Set(used.filter((digest) => keepsSmall || !isSmall(digest)));
  }

  #sizeOf(digest: Digest): number {
    return this.#sizes.get(digest) ?? 0;
  }

  #usedOf(digest: Digest): number {
    let bytes = 0;
    for (const stored of this.#frames.get(digest)?.values() ?? []) bytes += stored;
    return bytes;
  }
}
