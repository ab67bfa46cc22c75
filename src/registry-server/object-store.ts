/**
 * The store of a registry's objects: a flat space of keys that looks like a tree, as docker
 * distribution's storage drivers have it, so that an existing directory or bucket of
 * docker-registry is taken over as it is.
 *
 * A key is segments joined with "/", without one at either end; a segment is 1 to 255 of
 * [A-Za-z0-9._-] and is neither "." nor ".."; a key has at most 1,024 characters. Any other key is
 * an `invalid` fault and touches nothing. Directories exist only as prefixes of keys: they need no
 * making and go with the last object below them.
 *
 * Objects that are written whole (`write`, `ObjectWriter.commit`, `move`) appear at once: a reader
 * sees the old bytes or the new ones, and a crash leaves either. When the promise is fulfilled they
 * survive a loss of power. Operations on different keys are independent; the caller keeps two
 * writers of one key apart.
 *
 * A full store is `exhausted`, one that cannot be reached `unavailable`; any other trouble has the
 * fault that fits it best, but never says that an object is missing. `objectStoreContract`
 * (contract.ts) is the suite that every implementation passes.
 */
export interface ObjectStore {
  /** The fewest bytes an `ObjectWriter` takes well at a time, but for the last ones; clients are told (OCI-Chunk-Min-Length). */
  readonly chunkMinLength?: number;

  /** The object's facts; undefined when it is missing, and for a mere prefix of other keys. */
  stat(key: string): Promise<ObjectStat | undefined>;

  /**
   * A small object whole; undefined when it is missing, `exhausted` when it has more than `limit`
   * bytes.
   */
  get(key: string, limit: number): Promise<Buffer | undefined>;

  /**
   * The bytes from `start` (default 0) up to but without `end` (default, and at most, its size), in
   * chunks of at most 1 MiB; only chunks that are pulled are read. `not_found` when the object is
   * missing. An object that is replaced or deleted meanwhile is read to the end as it was, or ends
   * in a fault: never short or mixed.
   */
  read(key: string, range?: ByteRange): AsyncIterable<Uint8Array>;

  /** Makes or replaces a small object (at most 4 MiB). */
  write(key: string, bytes: Uint8Array): Promise<void>;

  /**
   * Goes on with, or begins, an object that is made piece by piece. The answers of stat, read, list
   * and walk about it before `commit` are open. After a close or a crash the bytes that were taken
   * are there again, except perhaps the last ones: `size` says how many. A second writer of one key
   * while the first is open, or of an object that was committed, is the caller's mistake.
   */
  writer(key: string): Promise<ObjectWriter>;

  /** Gives a committed object another name, replacing what had it. `not_found` when there is no object `from`. */
  move(from: string, to: string): Promise<void>;

  /**
   * Removes an object, or the leftovers of an unfinished writer; does nothing when it is missing.
   */
  delete(key: string): Promise<void>;

  /**
   * The names directly below a directory ("" is the root), ascending by their bytes, from the first
   * name greater than `after` on. Empty when the directory is missing. Names that come or go
   * meanwhile may be seen or not; all others are seen exactly once.
   */
  list(directory: string, options?: { readonly after?: string }): AsyncIterable<ListEntry>;

  /** Every object below a directory, in no order, with the promises of `list`. */
  walk(directory: string): AsyncIterable<WalkEntry>;

  /** The file that holds a committed object, for a store that has files; it is opened once and sent by the kernel. */
  filePath?(key: string): string;
}

/** The facts about an object. */
export interface ObjectStat {
  readonly size: number;
  /** Milliseconds since the epoch: when its present bytes got this name, or earlier. */
  readonly modified: number;
}

/** A part of an object, as offsets in bytes. */
export interface ByteRange {
  readonly start?: number;
  /** Exclusive. */
  readonly end?: number;
}

/** A name directly below a directory. */
export interface ListEntry {
  readonly name: string;
  /** A name that is both an object and a prefix is listed once, as a directory. */
  readonly kind: "object" | "directory";
}

/** An object below a directory, by its whole key. */
export interface WalkEntry extends ObjectStat {
  readonly key: string;
}

/** Appends to one object. Exactly one of `close`, `commit` and `cancel` ends it; calls do not overlap. */
export interface ObjectWriter {
  /** Bytes taken so far, those of earlier writers included. */
  readonly size: number;
  /** Takes all the bytes, and is fulfilled when it is ready for more; the buffer may be reused then. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends it unfinished; `writer` goes on with it. */
  close(): Promise<void>;
  /** Everything is taken: the object is there, whole and durable. */
  commit(): Promise<void>;
  /** Ends it and drops everything. */
  cancel(): Promise<void>;
}
