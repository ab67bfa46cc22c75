import type { Readable } from "node:stream";

type Deliver = (stream: "stdout" | "stderr", line: string) => void;

/** A line longer than this is delivered in pieces. */
const maxLine = 1 << 16;

/** Delivers Docker's framed stream line by line, until it ends. */
export async function demultiplex(source: Readable, deliver: Deliver | undefined): Promise<void> {
  const lines = { stdout: new LineBuffer(), stderr: new LineBuffer() };
  for await (const { stream, data } of readFrames(source)) {
    for (const line of lines[stream].push(data)) deliver?.(stream, line);
  }
  for (const stream of ["stdout", "stderr"] as const) {
    const last = lines[stream].end();
    if (last !== "") deliver?.(stream, last);
  }
}

/** The pieces of Docker's framed stream: an 8-byte header (stream, three zeroes, length), then the bytes. */
export async function* readFrames(
  source: Readable,
): AsyncGenerator<{ readonly stream: "stdout" | "stderr"; readonly data: Uint8Array }, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    rest = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.byteLength >= 8) {
      const end = 8 + rest.readUInt32BE(4);
      if (rest.byteLength < end) break;
      yield { stream: rest[0] === 2 ? "stderr" : "stdout", data: rest.subarray(8, end) };
      rest = rest.subarray(end);
    }
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
