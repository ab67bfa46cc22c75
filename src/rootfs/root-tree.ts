/** A root file system on disk, and the configuration for an image of it. */
export interface RootTree {
  readonly directory: string;
  readonly config: {
    readonly cmd?: readonly string[];
    readonly entrypoint?: readonly string[];
    readonly env: readonly string[];
  };
  /** The time for the image's configuration, so that equal trees give equal images. */
  readonly created?: Date;
}
