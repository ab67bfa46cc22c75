/** How large a request may be. Streams of archives are bounded by the disk, not here. */
export const wireLimits = {
  /** Bytes of a JSON body. */
  jsonBytes: 4 << 20,
  /** Nesting of a JSON body; Docker's deepest has 6 levels. */
  jsonDepth: 32,
  /** Items of argv, env and similar lists that programs fill. */
  longList: 65_536,
  /** Items of lists that people write: binds, devices, names of a save. */
  list: 1_024,
  /** Bytes of the request line and headers. */
  headerBytes: 64 << 10,
  /** Bytes of one frame of a multiplexed stream. */
  frameBytes: 16 << 20,
} as const;
