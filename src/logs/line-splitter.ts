const newline = 0x0a;
/** A record holds 16 KiB of output, at worst six bytes of JSON for one, and its frame. */
const maxLine = 1 << 18;

/** Cuts blocks into lines; a line longer than a record can be is dropped, so that memory stays bounded. */
export class LineSplitter {
  #rest: Uint8Array[] = [];
  #restBytes = 0;

  /** Bytes since the last newline. */
  get pending(): number {
    return this.#restBytes;
  }

  /** The lines that end in `block`, without their newlines. They may point into it. */
  push(block: Uint8Array): Uint8Array[] {
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = block.indexOf(newline); end >= 0; end = block.indexOf(newline, start)) {
      const line = this.#complete(block.subarray(start, end));
      if (line) lines.push(line);
      start = end + 1;
    }
    this.#keep(block.subarray(start));
    return lines;
  }

  /** Forgets an unfinished line, because the next bytes are of another file. */
  reset(): void {
    this.#rest = [];
    this.#restBytes = 0;
  }

  #complete(tail: Uint8Array): Uint8Array | undefined {
    const size = this.#restBytes + tail.byteLength;
    const line = this.#rest.length === 0 ? tail : Buffer.concat([...this.#rest, tail]);
    this.reset();
    return size > maxLine ? undefined : line;
  }

  #keep(part: Uint8Array): void {
    if (part.byteLength === 0) return;
    this.#restBytes += part.byteLength;
    if (this.#restBytes > maxLine) this.#rest = [];
    else this.#rest.push(Buffer.from(part));
  }
}
