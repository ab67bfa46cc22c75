/** Programs in containers of a gateway: parts of frontend/gateway/pb/gateway.proto and solver/pb/ops.proto of moby/buildkit. */

import {
  bool,
  bytes,
  field,
  int32,
  message,
  optional,
  repeated,
  string,
  uint32,
} from "./message.ts";
import { Status } from "./solver-messages.ts";

const Mount = message({
  selector: field(2, string),
  dest: field(3, string),
  readonly: field(5, bool),
  mountType: field(6, int32),
  resultId: field(23, string),
});

export const NewContainerRequest = message({
  containerId: field(1, string),
  mounts: repeated(2, Mount),
  /** 0: the usual one, 1: the host's, 2: none. */
  network: field(3, int32),
});

const Meta = message({
  args: repeated(1, string),
  env: repeated(2, string),
  cwd: field(3, string),
  user: field(4, string),
});

/** What either side says about one program: each message has one of the parts. */
export const ExecMessage = message({
  processId: field(1, string),
  init: optional(
    2,
    message({
      containerId: field(1, string),
      meta: optional(2, Meta),
      fds: repeated(3, uint32),
      tty: field(4, bool),
      /** 1: all that a privileged container may do. */
      security: field(5, int32),
    }),
  ),
  file: optional(3, message({ fd: field(1, uint32), eof: field(2, bool), data: field(3, bytes) })),
  resize: optional(4, message({ rows: field(1, uint32), cols: field(2, uint32) })),
  started: optional(5, message({})),
  exit: optional(6, message({ code: field(1, uint32), error: optional(2, Status) })),
  done: optional(7, message({})),
  signal: optional(8, message({ name: field(1, string) })),
});
