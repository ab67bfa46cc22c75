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
    const whole = this.whole(block);
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = whole.indexOf(newline); end >= 0; end = whole.indexOf(newline, start)) {
      lines.push(whole.subarray(start, end));
      start = end + 1;
    }
    return lines;
  }

  /** The same with their newlines, in one piece. */
  whole(block: Uint8Array): Uint8Array {
    const end = block.lastIndexOf(newline) + 1;
    if (end === 0) {
      this.#keep(block);
      return block.subarray(0, 0);
    }
    const isTooLong = this.#restBytes > maxLine;
    const begin = isTooLong ? block.indexOf(newline) + 1 : 0;
    const tail = block.subarray(begin, end);
    const whole = this.#rest.length === 0 ? tail : Buffer.concat([...this.#rest, tail]);
    this.reset();
    this.#keep(block.subarray(end));
    return whole;
  }

  /** Forgets an unfinished line, because the next bytes are of another file. */
  reset(): void {
    this.#rest = [];
    this.#restBytes = 0;
  }

  #keep(part: Uint8Array): void {
    if (part.byteLength === 0) return;
    this.#restBytes += part.byteLength;
    if (this.#restBytes > maxLine) this.#rest = [];
    else this.#rest.push(Buffer.from(part));
  }
}
