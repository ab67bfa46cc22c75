import type { ChainId, Digest } from "#image";
import type { State } from "#state";

/** An image by its id, the digest of its configuration. */
export interface ImageRow {
  readonly id: Digest;
  /** The manifest that its id stands for; a name may stand for another. */
  readonly manifest: Digest;
  /** Bytes of the files of all layers. */
  readonly size: number;
  /** Nanoseconds since the epoch. */
  readonly stored: number | bigint;
  /** Seconds since the epoch, of the configuration. Null: not read yet. */
  readonly created: number | null;
  /** The configuration's labels, as JSON. Null: not read yet. */
  readonly labels: string | null;
  /** The image of the container that it was committed from, which may be gone. */
  readonly parent: Digest | null;
}

/** The part of a row that a list of many needs. */
export type ListedRow = Omit<ImageRow, "stored">;

export interface NameRow {
  /** Canonical, with tag or digest: "docker.io/library/debian:12". */
  readonly reference: string;
  readonly image: Digest;
  readonly manifest: Digest;
  /** Nanoseconds since the epoch. */
  readonly tagged: number | bigint;
}

export interface ManifestReplacement {
  readonly from: Digest;
  readonly to: Digest;
  readonly blobs: ReadonlyMap<Digest, Digest>;
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
  // One configuration under several manifests: names and blobs belong to a manifest.
  "CREATE TABLE image_manifest (digest TEXT PRIMARY KEY, image TEXT NOT NULL REFERENCES image (id)) STRICT, WITHOUT ROWID",
  "CREATE INDEX image_manifest_image ON image_manifest (image)",
  "INSERT INTO image_manifest (digest, image) SELECT manifest, id FROM image",
  "CREATE TABLE manifest_blob (manifest TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (manifest, digest)) STRICT, WITHOUT ROWID",
  "CREATE INDEX manifest_blob_digest ON manifest_blob (digest)",
  "INSERT INTO manifest_blob (manifest, digest) SELECT image.manifest, image_blob.digest FROM image_blob JOIN image ON image.id = image_blob.image",
  "DROP TABLE image_blob",
  "ALTER TABLE image_name ADD COLUMN manifest TEXT NOT NULL DEFAULT ''",
  "UPDATE image_name SET manifest = (SELECT manifest FROM image WHERE image.id = image_name.image)",
  "ALTER TABLE image ADD COLUMN created INTEGER",
  "ALTER TABLE image ADD COLUMN labels TEXT",
  "ALTER TABLE image ADD COLUMN parent TEXT",
];

/** Images, their manifests and names, and which blobs and layers each needs. */
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
    return this.#state.first<ImageRow>(
      "SELECT image.* FROM image JOIN image_manifest ON image_manifest.image = image.id WHERE image_manifest.digest = ?",
      digest,
    );
  }

  /** Newest first. */
  all(): readonly ListedRow[] {
    return this.#state.query<ListedRow>(
      "SELECT id, manifest, size, created, labels, parent FROM image ORDER BY stored DESC",
    );
  }

  /** Images that an older version stored and whose configuration has not been read yet. */
  undescribed(): readonly ImageRow[] {
    return this.#state.query<ImageRow>("SELECT * FROM image WHERE created IS NULL");
  }

  count(): number {
    return this.#state.first<{ count: number }>("SELECT count(*) AS count FROM image")?.count ?? 0;
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
    const { id, manifest, size, stored, created, labels, parent } = row;
    this.#state.run(
      "INSERT INTO image (id, manifest, size, stored, created, labels, parent) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET parent = coalesce(excluded.parent, parent)",
      ...[id, manifest, size, stored, created, labels, parent],
    );
    this.#state.run(
      "INSERT OR IGNORE INTO image_manifest (digest, image) VALUES (?, ?)",
      manifest,
      id,
    );
    for (const digest of needs.blobs) this.needBlob(manifest, digest);
    for (const chain of needs.layers) {
      this.#state.run("INSERT OR IGNORE INTO image_layer (image, chain) VALUES (?, ?)", id, chain);
    }
  }

  needBlob(manifest: Digest, digest: Digest): void {
    this.#state.run(
      "INSERT OR IGNORE INTO manifest_blob (manifest, digest) VALUES (?, ?)",
      ...[manifest, digest],
    );
  }

  describe(id: Digest, created: number, labels: string): void {
    this.#state.run("UPDATE image SET created = ?, labels = ? WHERE id = ?", created, labels, id);
  }

  delete(id: Digest): void {
    this.#state.run("DELETE FROM image_name WHERE image = ?", id);
    for (const manifest of this.manifestsOf(id)) this.#deleteManifest(manifest);
    this.#state.run("DELETE FROM image_layer WHERE image = ?", id);
    this.#state.run("DELETE FROM image WHERE id = ?", id);
  }

  /**
   * Drops those manifests of an image that no name stands for, as long as one is left,
   * and lets the id stand for one that is. Gives the blobs that the dropped ones needed.
   */
  trimManifests(id: Digest): Digest[] {
    const all = this.manifestsOf(id);
    const row = this.get(id);
    if (!row || all.length < 2) return [];
    const names = this.namesOf(id).toSorted((a, b) => Number(b.tagged) - Number(a.tagged));
    const kept = new Set(names.length > 0 ? names.map(({ manifest }) => manifest) : [row.manifest]);
    const [newest] = kept;
    if (newest && !kept.has(row.manifest)) {
      this.#state.run("UPDATE image SET manifest = ? WHERE id = ?", newest, id);
    }
    const dropped = all.filter((manifest) => !kept.has(manifest));
    const blobs = dropped.flatMap((manifest) => this.#blobsOfManifest(manifest));
    for (const manifest of dropped) this.#deleteManifest(manifest);
    return blobs;
  }

  manifestsOf(id: Digest): readonly Digest[] {
    return this.#state
      .query<{ digest: Digest }>("SELECT digest FROM image_manifest WHERE image = ?", id)
      .map(({ digest }) => digest);
  }

  blobsOf(id: Digest): readonly Digest[] {
    return this.manifestsOf(id).flatMap((manifest) => this.#blobsOfManifest(manifest));
  }

  layersOf(id: Digest): readonly ChainId[] {
    return this.#state
      .query<{ chain: ChainId }>("SELECT chain FROM image_layer WHERE image = ?", id)
      .map(({ chain }) => chain);
  }

  needsBlob(digest: Digest): boolean {
    return this.#has("SELECT 1 FROM manifest_blob WHERE digest = ? LIMIT 1", digest);
  }

  needsLayer(chain: string): boolean {
    return this.#has("SELECT 1 FROM image_layer WHERE chain = ? LIMIT 1", chain);
  }

  neededBlobs(): ReadonlySet<Digest> {
    const rows = this.#state.query<{ digest: Digest }>("SELECT DISTINCT digest FROM manifest_blob");
    return new Set(rows.map(({ digest }) => digest));
  }

  neededLayers(): ReadonlySet<ChainId> {
    const rows = this.#state.query<{ chain: ChainId }>("SELECT DISTINCT chain FROM image_layer");
    return new Set(rows.map(({ chain }) => chain));
  }

  /** Which image needs which blob; one row for each. */
  blobNeeds(): readonly { readonly image: Digest; readonly digest: Digest }[] {
    return this.#state.query(
      "SELECT DISTINCT image_manifest.image, manifest_blob.digest FROM manifest_blob JOIN image_manifest ON image_manifest.digest = manifest_blob.manifest",
    );
  }

  /** Which image needs which layer. */
  layerNeeds(): readonly { readonly image: Digest; readonly chain: ChainId }[] {
    return this.#state.query("SELECT image, chain FROM image_layer");
  }

  /** Which manifest is of which image. */
  manifests(): readonly { readonly digest: Digest; readonly image: Digest }[] {
    return this.#state.query("SELECT digest, image FROM image_manifest");
  }

  /**
   * Manifests that need a blob and that no registry has, as far as is known: a manifest with a name
   * by digest is at a registry.
   */
  localManifestsWith(digest: Digest): readonly Digest[] {
    return this.#state
      .query<{ manifest: Digest }>(
        "SELECT manifest FROM manifest_blob WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM image_name WHERE image_name.manifest = manifest_blob.manifest AND instr(reference, '@') > 0)",
        digest,
      )
      .map(({ manifest }) => manifest);
  }

  /**
   * Puts a manifest in the place of another of its image, under the tags of that; names by digest
   * stay where they are. `blobs` maps blobs of the old one to those of the new one. Gives the blobs
   * that only the old manifest needed; an empty list when it is gone already.
   */
  replaceManifest({ from, to, blobs }: ManifestReplacement): Digest[] {
    const row = this.byManifest(from);
    if (!row) return [];
    this.#state.run(
      "INSERT OR IGNORE INTO image_manifest (digest, image) VALUES (?, ?)",
      to,
      row.id,
    );
    for (const blob of this.#blobsOfManifest(from)) {
      this.needBlob(to, blob === from ? to : (blobs.get(blob) ?? blob));
    }
    this.#state.run(
      "UPDATE image_name SET manifest = ? WHERE manifest = ? AND instr(reference, '@') = 0",
      ...[to, from],
    );
    this.#state.run(
      "UPDATE image SET manifest = ?1 WHERE manifest = ?2 AND NOT EXISTS (SELECT 1 FROM image_name WHERE manifest = ?2)",
      ...[to, from],
    );
    return this.trimManifests(row.id);
  }

  /**
   * Names a manifest of an image; a name that another image had moves. Gives the row of that one.
   */
  name(row: NameRow): NameRow | undefined {
    const { reference, image, manifest, tagged } = row;
    const before = this.named(reference);
    this.#state.run(
      "INSERT INTO image_name (reference, image, manifest, tagged) VALUES (?, ?, ?, ?) ON CONFLICT (reference) DO UPDATE SET image = excluded.image, manifest = excluded.manifest, tagged = excluded.tagged",
      ...[reference, image, manifest, tagged],
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

  names(): readonly Pick<NameRow, "image" | "reference">[] {
    return this.#state.query("SELECT image, reference FROM image_name ORDER BY reference");
  }

  /** All of `work` or nothing, on the disk when it returns. */
  durably<T>(work: () => T): T {
    return this.#state.durably(work);
  }

  #blobsOfManifest(manifest: Digest): readonly Digest[] {
    return this.#state
      .query<{ digest: Digest }>("SELECT digest FROM manifest_blob WHERE manifest = ?", manifest)
      .map(({ digest }) => digest);
  }

  #deleteManifest(manifest: Digest): void {
    this.#state.run("DELETE FROM manifest_blob WHERE manifest = ?", manifest);
    this.#state.run("DELETE FROM image_manifest WHERE digest = ?", manifest);
  }

  #has(sql: string, value: string): boolean {
    return this.#state.first(sql, value) !== undefined;
  }
}
