import type { OutputPart } from "./demux.ts";

/** The input and output of a process at the other end of a connection. */
export interface ProcessStream {
  /** Input for the process; settles once it has left for the kernel. */
  write(bytes: Uint8Array): Promise<void>;
  /** The end of the input; output goes on. */
  end(): void;
  /** Detaches at once. */
  close(): void;
  /** The output until the process has ended or the stream is closed; a terminal's is all `stdout`. */
  output(): AsyncIterable<OutputPart>;
}
