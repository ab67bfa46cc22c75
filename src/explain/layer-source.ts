import type { TarType } from "#tar";

/**
 * One name in one layer. Paths and link targets are bytes, one character each
 * ("latin1"), components joined by "/" without one at the beginning.
 */
export interface LayerEntry {
  readonly path: string;
  /**
   * "hardlink": a further name of a file that this layer named before; `linkName` is that name.
   * "whiteout": hides the name in the layers below.
   */
  readonly type: TarType | "whiteout";
  /** Bytes of content; 0 unless a file. */
  readonly size: number;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Where a link leads. */
  readonly linkName?: string;
  /** This layer may name the file again, as a "hardlink". */
  readonly linked?: boolean;
  /** A directory through which nothing of the layers below shines. */
  readonly opaque?: boolean;
}

/** One unpacked layer, as the analysis reads it: from a directory, or made up by a test. */
export interface LayerSource {
  /** Depth first, a directory before its entries. */
  entries(): Iterable<LayerEntry>;
  /** One entry, without a walk. Hard links tell as files. */
  entry(path: string): LayerEntry | undefined;
  /**
   * The content of a regular file; undefined for anything else, and for more than `limit` bytes.
   */
  read(path: string, limit: number): Buffer | undefined;
  /** A digest of a regular file's content; undefined for anything else. */
  digest(path: string): string | undefined;
  /** The extended attributes of an entry as one text, to be compared; "" without attributes. */
  attributes(path: string): string;
}

/** Lets a long computation be cancelled: throws `canceled` when it is. */
export type Breathe = () => void;
