/** fsutil's types/wire.proto and types/stat.proto, in which files travel. */

import {
  bytes,
  field,
  int32,
  int64,
  map,
  message,
  optional,
  string,
  uint32,
  type Value,
} from "./message.ts";

/** A file without its content. */
export const Stat = message({
  path: field(1, string),
  /** Go's os.FileMode. */
  mode: field(2, uint32),
  uid: field(3, uint32),
  gid: field(4, uint32),
  size: field(5, int64),
  /** Nanoseconds since 1970. */
  modTime: field(6, int64),
  linkname: field(7, string),
  devmajor: field(8, int64),
  devminor: field(9, int64),
  xattrs: map(10, bytes),
});

export type Stat = Value<typeof Stat>;

/** The types of packets. */
export const PacketType = { stat: 0, request: 1, data: 2, end: 3, error: 4 } as const;

export const Packet = message({
  type: field(1, int32),
  stat: optional(2, Stat),
  id: field(3, uint32),
  data: field(4, bytes),
});

export type Packet = Value<typeof Packet>;
