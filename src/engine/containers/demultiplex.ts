import type { Readable } from "node:stream";

type Deliver = (stream: "stdout" | "stderr", line: string) => void;

/** A line longer than this is delivered in pieces. */
const maxLine = 1 << 16;

/** Delivers Docker's framed stream (8-byte header: stream, three zeroes, length) line by line, until it ends. */
export async function demultiplex(source: Readable, deliver: Deliver | undefined): Promise<void> {
  const lines = { stdout: new LineBuffer(), stderr: new LineBuffer() };
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    rest = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.byteLength >= 8) {
      const end = 8 + rest.readUInt32BE(4);
      if (rest.byteLength < end) break;
      const stream = rest[0] === 2 ? "stderr" : "stdout";
      for (const line of lines[stream].push(rest.subarray(8, end))) deliver?.(stream, line);
      rest = rest.subarray(end);
    }
  }
  for (const stream of ["stdout", "stderr"] as const) {
    const last = lines[stream].end();
    if (last !== "") deliver?.(stream, last);
  }
}

class LineBuffer {
  readonly #decoder = new TextDecoder();
  #text = "";

  push(bytes: Uint8Array): readonly string[] {
    const lines = (this.#text + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#text = lines.pop() ?? "";
    if (this.#text.length > maxLine) {
      lines.push(this.#text);
      this.#text = "";
    }
    return lines;
  }

  end(): string {
    return this.#text + this.#decoder.decode();
  }
}
