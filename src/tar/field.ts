/** Fields of a header block: POSIX pax(1) "ustar Interchange Format", and GNU's base-256 numbers. */

/** Text up to the first NUL, one character a byte. */
export function readText(block: Buffer, offset: number, length: number): string {
  const end = block.indexOf(0, offset);
  return block.toString(
    "latin1",
    offset,
    end < 0 ? offset + length : Math.min(end, offset + length),
  );
}

/** Octal digits in blanks and NULs, or base-256 when the first bit is set; undefined for anything else. */
export function readNumber(block: Buffer, offset: number, length: number): bigint | undefined {
  const first = block[offset] ?? 0;
  if ((first & 0x80) !== 0) return readBase256(block.subarray(offset, offset + length));
  let value = 0;
  let started = false;
  for (let i = offset; i < offset + length; i++) {
    const byte = block[i] ?? 0;
    if (byte >= 0x30 && byte <= 0x37) {
      // 12 digits at most: 36 bits, exact in a double.
      value = value * 8 + (byte - 0x30);
      started = true;
    } else if (byte === 0x20 || byte === 0) {
      if (!started) continue;
      for (let j = i; j < offset + length; j++) {
        if (block[j] !== 0x20 && block[j] !== 0) return byte === 0 ? BigInt(value) : undefined;
      }
      break;
    } else return undefined;
  }
  return BigInt(value);
}

/** Two's complement, big endian, the topmost bit being the mark. */
function readBase256(bytes: Buffer): bigint {
  const negative = ((bytes[0] ?? 0) & 0x40) !== 0;
  let value = BigInt((bytes[0] ?? 0) & 0x7f);
  for (const byte of bytes.subarray(1)) value = (value << 8n) | BigInt(byte);
  return negative ? value - (1n << BigInt(bytes.length * 8 - 1)) : value;
}

/** Writes octal digits and a NUL; false when the number does not fit. */
export function writeOctal(block: Buffer, place: Place, value: number | bigint): boolean {
  const { offset, length } = place;
  if (value < 0 || BigInt(value) >= 1n << BigInt(3 * (length - 1))) {
    block.write("0".repeat(length - 1), offset, "latin1");
    return false;
  }
  block.write(value.toString(8).padStart(length - 1, "0"), offset, "latin1");
  return true;
}

export interface Place {
  readonly offset: number;
  readonly length: number;
}

/** Where the fields of a header block are. */
export const places = {
  name: { offset: 0, length: 100 },
  mode: { offset: 100, length: 8 },
  uid: { offset: 108, length: 8 },
  gid: { offset: 116, length: 8 },
  size: { offset: 124, length: 12 },
  mtime: { offset: 136, length: 12 },
  checksum: { offset: 148, length: 8 },
  type: { offset: 156, length: 1 },
  linkName: { offset: 157, length: 100 },
  magic: { offset: 257, length: 8 },
  userName: { offset: 265, length: 32 },
  groupName: { offset: 297, length: 32 },
  major: { offset: 329, length: 8 },
  minor: { offset: 337, length: 8 },
  prefix: { offset: 345, length: 155 },
} as const satisfies Record<string, Place>;

/** The sums of all bytes, the checksum field itself taken as blanks; old writers summed signed bytes. */
export function checksums(block: Buffer): { readonly unsigned: number; readonly signed: number } {
  let unsigned = 0;
  let high = 0;
  for (let i = 0; i < 512; i++) {
    const byte = i >= 148 && i < 156 ? 0x20 : (block[i] ?? 0);
    unsigned += byte;
    if (byte >= 0x80) high++;
  }
  return { unsigned, signed: unsigned - 256 * high };
}
