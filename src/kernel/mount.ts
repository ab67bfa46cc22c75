/**
 * A file system to be mounted, as a snapshotter describes it and a runtime carries
 * it out; neither knows the other.
 */
export interface Mount {
  /** File system type as in mount(2): "overlay", "bind". */
  readonly type: string;
  /** The directory for "bind"; otherwise as the file system wants it. */
  readonly source: string;
  /**
   * Options as in fstab(5), each "key" or "key=value". An overlay names its lower
   * layers uppermost first, one `lowerdir+=PATH` each; the code that mounts joins
   * them on a kernel without that option.
   */
  readonly options: readonly string[];
}
