import type { ChainId, Digest } from "#image";
import type { State } from "#state";

const steps = [
  "CREATE TABLE pin_blob (holder TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (holder, digest)) STRICT, WITHOUT ROWID",
  "CREATE INDEX pin_blob_digest ON pin_blob (digest)",
  "CREATE TABLE pin_layer (holder TEXT NOT NULL, chain TEXT NOT NULL, PRIMARY KEY (holder, chain)) STRICT, WITHOUT ROWID",
  "CREATE INDEX pin_layer_chain ON pin_layer (chain)",
];

/** The blobs and layers that a holder keeps. */
export interface Pinned {
  readonly blobs: readonly Digest[];
  readonly layers: readonly ChainId[];
}

/**
 * Blobs and layers that are kept for others than images, such as the steps of builds, under a name
 * of the holder's choice. A lease that lasts.
 */
export class PinTable {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
    state.migrate("content-pin", steps);
  }

  /** Adds to what the holder keeps; joins a transaction of the caller's. */
  pin(holder: string, { blobs, layers }: Pinned): void {
    this.#state.transaction(() => {
      for (const digest of blobs) {
        this.#state.run(
          "INSERT OR IGNORE INTO pin_blob (holder, digest) VALUES (?, ?)",
          ...[holder, digest],
        );
      }
      for (const chain of layers) {
        this.#state.run(
          "INSERT OR IGNORE INTO pin_layer (holder, chain) VALUES (?, ?)",
          ...[holder, chain],
        );
      }
    });
  }

  /** Lets go of all that the holder keeps, and gives it. */
  unpin(holder: string): Pinned {
    return this.#state.transaction(() => {
      const blobs = this.#state.query<{ digest: Digest }>(
        "DELETE FROM pin_blob WHERE holder = ? RETURNING digest",
        holder,
      );
      const layers = this.#state.query<{ chain: ChainId }>(
        "DELETE FROM pin_layer WHERE holder = ? RETURNING chain",
        holder,
      );
      return {
        blobs: blobs.map(({ digest }) => digest),
        layers: layers.map(({ chain }) => chain),
      };
    });
  }

  needsBlob(digest: Digest): boolean {
    return (
      this.#state.first("SELECT 1 FROM pin_blob WHERE digest = ? LIMIT 1", digest) !== undefined
    );
  }

  needsLayer(chain: string): boolean {
    return (
      this.#state.first("SELECT 1 FROM pin_layer WHERE chain = ? LIMIT 1", chain) !== undefined
    );
  }

  neededBlobs(): ReadonlySet<Digest> {
    const rows = this.#state.query<{ digest: Digest }>("SELECT DISTINCT digest FROM pin_blob");
    return new Set(rows.map(({ digest }) => digest));
  }

  neededLayers(): ReadonlySet<ChainId> {
    const rows = this.#state.query<{ chain: ChainId }>("SELECT DISTINCT chain FROM pin_layer");
    return new Set(rows.map(({ chain }) => chain));
  }
}
