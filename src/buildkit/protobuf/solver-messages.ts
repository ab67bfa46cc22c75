/** The parts of BuildKit's solver/pb/ops.proto and of google.protobuf and google.rpc that are spoken here. */

import { bytes, field, int32, int64, map, message, optional, repeated, string } from "./message.ts";

export const Timestamp = message({ seconds: field(1, int64), nanos: field(2, int32) });

const Any = message({ typeUrl: field(1, string), value: field(2, bytes) });

export const Status = message({
  code: field(1, int32),
  message: field(2, string),
  details: repeated(3, Any),
});

export const Platform = message({
  architecture: field(1, string),
  os: field(2, string),
  variant: field(3, string),
});

export const SourceOp = message({ identifier: field(1, string), attrs: map(2, string) });

/** An operation of LLB, as far as those go that are made here. */
export const Op = message({
  inputs: repeated(1, message({ digest: field(1, string), index: field(2, int64) })),
  source: optional(3, SourceOp),
});

const OpMetadata = message({ description: map(2, string) });

/** A graph of encoded operations; the last has the result as its input. */
export const Definition = message({ def: repeated(1, bytes), metadata: map(2, OpMetadata) });

const Position = message({ line: field(1, int32), character: field(2, int32) });

export const Range = message({ start: optional(1, Position), end: optional(2, Position) });

export const SourceInfo = message({
  filename: field(1, string),
  data: field(2, bytes),
  language: field(4, string),
});
