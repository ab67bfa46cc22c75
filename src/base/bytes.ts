const binary: Record<string, number> = { "": 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/** Docker's sizes as flags take them ("6m", "1.5GiB", "512"): powers of 1024, in bytes; undefined when it is none. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text.trim());
  if (!match) return undefined;
  const bytes = Math.floor(
    Number(match[1]) * 1024 ** (binary[(match[2] ?? "").toLowerCase()] ?? 0),
  );
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Sizes as Docker prints them: decimal units with three or four significant digits ("1.24MB"). */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${Number.parseFloat(value.toPrecision(3))}${units[unit]}`;
}

/** Whether all bytes are zero. */
export function areZeros(bytes: Uint8Array): boolean {
  if (bytes.byteLength === 0) return true;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Each byte equals the one before it.
  return buffer[0] === 0 && buffer.subarray(1).equals(buffer.subarray(0, -1));
}
