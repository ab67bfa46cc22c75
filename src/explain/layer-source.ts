import type { TarType } from "#tar";

/**
 * One name in one layer. Paths and link targets are bytes, one character each
 * ("latin1"), components joined by "/" without one at the beginning.
 */
export interface LayerEntry {
  readonly path: string;
  /** "hardlink": a further name of a file that this layer named before; `linkName` is that name. "whiteout": hides what the layers below have. */
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
  /** Depth first, a directory before what is in it. */
  entries(): Iterable<LayerEntry>;
  /** One entry, without a walk. Hard links tell as files. */
  entry(path: string): LayerEntry | undefined;
  /** The content of a regular file; undefined when it is none or is larger than `limit` bytes. */
  read(path: string, limit: number): Buffer | undefined;
  /** A digest of a regular file's content, or undefined when there is none to read. */
  digest(path: string): string | undefined;
  /** The extended attributes of an entry as one text, to be compared; "" for none. */
  attributes(path: string): string;
}

/** Lets a long computation be cancelled: throws `canceled` when it is. */
export type Breathe = () => void;
