import type { Selection } from "#layer";

/** The files of a stage, an image or a context, while they can be read. */
export interface SourceFiles {
  /** The root of the tree. */
  readonly directory: string;
  /** The lines of the .dockerignore that hold for it. */
  readonly ignore: readonly string[];
  /** A client sent them. */
  readonly isClients: boolean;
  /** A file that keeps digests of files; for directories that stay the same. */
  readonly memo?: string | undefined;
  /** Names the content, so that digests of parts of it can be kept in memory. */
  readonly identity?: string | undefined;
}

/** Paths of a source that COPY or a mount names. */
export function selectionOf(
  { directory, ignore }: SourceFiles,
  wanted: {
    readonly path: string;
    readonly parents?: string | undefined;
    readonly exclude?: readonly string[];
  },
): Selection {
  const { path, parents, exclude = [] } = wanted;
  return { directory, path, parents, exclude, ignore };
}
