/** A root file system on disk, and what an image of it should say. */
export interface RootTree {
  readonly directory: string;
  readonly config: {
    readonly cmd?: readonly string[];
    readonly entrypoint?: readonly string[];
    readonly env: readonly string[];
  };
  /** When what is in it was made, for images that come out alike twice. */
  readonly created?: Date;
}
