import { Fault } from "#base";

const magic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;

type Part = "magic" | "skippable" | "descriptor" | "header" | "block" | "body" | "checksum";

/** Follows the frames of zstd data (RFC 8878, section 3.1) without decompressing, to know whether it is whole. */
export class ZstdFrames {
  #part: Part = "magic";
  /** Bytes of the part that are still to come, and its little-endian value so far. */
  #left = 4;
  #value = 0;
  #shift = 0;
  #hasChecksum = false;
  #isLastBlock = false;
  #isSound = true;
  #frames = 0;

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && this.#isSound; ) {
      const isSkipped =
        this.#part === "body" || this.#part === "header" || this.#part === "checksum";
      const take = isSkipped ? Math.min(this.#left, bytes.length - at) : 1;
      if (!isSkipped) {
        this.#value += (bytes[at] ?? 0) * 2 ** this.#shift;
        this.#shift += 8;
      }
      this.#left -= take;
      at += take;
      if (this.#left === 0) this.#next();
    }
  }

  /**
   * Throws `invalid` unless the data ends with a frame. The decompressor refuses data that is not
   * zstd at all.
   */
  finish(): void {
    if (!this.#isSound || (this.#part === "magic" && this.#shift === 0)) return;
    throw damaged("it ends in the middle of a frame");
  }

  #begin(part: Part, size: number): void {
    this.#frames++;
    this.#expect(part, size);
  }

  #next(): void {
    const value = this.#value;
    switch (this.#part) {
      case "magic":
        if (value === magic) this.#begin("descriptor", 1);
        else if ((value & 0xfffffff0) >>> 0 === skippableMagic) this.#begin("skippable", 4);
        else if (this.#frames > 0) throw damaged("something else follows its last frame");
        else this.#isSound = false;
        return;
      case "skippable":
        this.#isLastBlock = true;
        this.#hasChecksum = false;
        this.#expect("body", value);
        return;
      case "descriptor":
        this.#hasChecksum = (value & 4) !== 0;
        this.#expect("header", headerSize(value));
        return;
      case "block":
        this.#isLastBlock = (value & 1) === 1;
        // A block of one repeated byte (type 1) stores that byte alone.
        this.#expect("body", ((value >> 1) & 3) === 1 ? 1 : value >> 3);
        return;
      case "body":
        if (!this.#isLastBlock) this.#expect("block", 3);
        else this.#expect(this.#hasChecksum ? "checksum" : "magic", 4);
        return;
      case "header":
        this.#expect("block", 3);
        return;
      case "checksum":
        this.#expect("magic", 4);
    }
  }

  #expect(part: Part, size: number): void {
    this.#part = part;
    this.#left = size;
    this.#value = 0;
    this.#shift = 0;
    if (size === 0) this.#next();
  }
}

function damaged(why: string): Fault {
  return new Fault("invalid", `the zstd data is damaged or cut off: ${why}`);
}

/** The length of a frame header after its descriptor: window, dictionary id, content size. */
function headerSize(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const content = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  return (isSingleSegment ? 0 : 1) + dictionary + content;
}
