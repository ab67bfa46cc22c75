import type { ChainId, Digest } from "#image";
import type { State } from "#state";

/** An image by its id, the digest of its configuration. */
export interface ImageRow {
  readonly id: Digest;
  readonly manifest: Digest;
  /** Bytes of the files of all layers. */
  readonly size: number;
  /** Nanoseconds since the epoch. */
  readonly stored: number | bigint;
}

export interface NameRow {
  /** Canonical, with tag: "docker.io/library/debian:12". */
  readonly reference: string;
  readonly image: Digest;
  /** Nanoseconds since the epoch. */
  readonly tagged: number | bigint;
}

const steps = [
  `CREATE TABLE image (
    id TEXT PRIMARY KEY,
    manifest TEXT NOT NULL,
    size INTEGER NOT NULL,
    stored INTEGER NOT NULL
  ) STRICT`,
  `CREATE TABLE image_name (
    reference TEXT PRIMARY KEY,
    image TEXT NOT NULL REFERENCES image (id),
    tagged INTEGER NOT NULL
  ) STRICT`,
  "CREATE INDEX image_name_image ON image_name (image)",
  "CREATE TABLE image_blob (image TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (image, digest)) STRICT, WITHOUT ROWID",
  "CREATE INDEX image_blob_digest ON image_blob (digest)",
  "CREATE TABLE image_layer (image TEXT NOT NULL, chain TEXT NOT NULL, PRIMARY KEY (image, chain)) STRICT, WITHOUT ROWID",
  "CREATE INDEX image_layer_chain ON image_layer (chain)",
];

/** Images, their names, and which blobs and layers each needs. */
export class ImageTable {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
    state.migrate("content", steps);
  }

  get(id: string): ImageRow | undefined {
    return this.#state.first<ImageRow>("SELECT * FROM image WHERE id = ?", id);
  }

  byManifest(digest: string): ImageRow | undefined {
    return this.#state.first<ImageRow>("SELECT * FROM image WHERE manifest = ?", digest);
  }

  /** Newest first. */
  all(): readonly ImageRow[] {
    return this.#state.query<ImageRow>("SELECT * FROM image ORDER BY stored DESC");
  }

  /** At most two: one is found, two are ambiguous. */
  byPrefix(hex: string): readonly ImageRow[] {
    const from = `sha256:${hex}`;
    return this.#state.query<ImageRow>(
      "SELECT * FROM image WHERE id >= ? AND id < ? LIMIT 2",
      ...[from, `${from}g`],
    );
  }

  put(
    row: ImageRow,
    needs: { readonly blobs: readonly Digest[]; readonly layers: readonly ChainId[] },
  ): void {
    const { id, manifest, size, stored } = row;
    this.#state.run(
      "INSERT OR IGNORE INTO image (id, manifest, size, stored) VALUES (?, ?, ?, ?)",
      ...[id, manifest, size, stored],
    );
    // The same image under another manifest stays as it was first stored.
    if (this.get(id)?.manifest !== manifest) return;
    for (const digest of needs.blobs) {
      this.#state.run("INSERT OR IGNORE INTO image_blob (image, digest) VALUES (?, ?)", id, digest);
    }
    for (const chain of needs.layers) {
      this.#state.run("INSERT OR IGNORE INTO image_layer (image, chain) VALUES (?, ?)", id, chain);
    }
  }

  delete(id: Digest): void {
    this.#state.run("DELETE FROM image_name WHERE image = ?", id);
    this.#state.run("DELETE FROM image_blob WHERE image = ?", id);
    this.#state.run("DELETE FROM image_layer WHERE image = ?", id);
    this.#state.run("DELETE FROM image WHERE id = ?", id);
  }

  blobsOf(id: Digest): readonly Digest[] {
    return this.#state
      .query<{ digest: Digest }>("SELECT digest FROM image_blob WHERE image = ?", id)
      .map(({ digest }) => digest);
  }

  needsBlob(digest: Digest): boolean {
    return this.#has("SELECT 1 FROM image_blob WHERE digest = ? LIMIT 1", digest);
  }

  needsLayer(chain: string): boolean {
    return this.#has("SELECT 1 FROM image_layer WHERE chain = ? LIMIT 1", chain);
  }

  /** Names an image; a name that another image had moves. Gives who had it before. */
  name(reference: string, image: Digest, tagged: bigint): Digest | undefined {
    const before = this.named(reference)?.image;
    this.#state.run(
      "INSERT INTO image_name (reference, image, tagged) VALUES (?, ?, ?) ON CONFLICT (reference) DO UPDATE SET image = excluded.image, tagged = excluded.tagged",
      ...[reference, image, tagged],
    );
    return before;
  }

  unname(reference: string): boolean {
    return this.#state.run("DELETE FROM image_name WHERE reference = ?", reference) > 0;
  }

  named(reference: string): NameRow | undefined {
    return this.#state.first<NameRow>("SELECT * FROM image_name WHERE reference = ?", reference);
  }

  namesOf(image: Digest): readonly NameRow[] {
    return this.#state.query<NameRow>(
      "SELECT * FROM image_name WHERE image = ? ORDER BY reference",
      image,
    );
  }

  /** All of `work` or nothing, on the disk when it returns. */
  durably<T>(work: () => T): T {
    return this.#state.durably(work);
  }

  #has(sql: string, value: string): boolean {
    return this.#state.first(sql, value) !== undefined;
  }
}
