import { areZeros } from "#base";

const leastHole = 64 << 10;

/** Whether bytes of a file take no room on the disk: they are a long run of zeros. */
export function isHole(bytes: Uint8Array): boolean {
  return bytes.byteLength >= leastHole && areZeros(bytes);
}
