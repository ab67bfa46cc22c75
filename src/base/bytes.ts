const powers: Record<string, number> = { "": 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/**
 * A size as Docker's flags take it ("6m", "1.5GiB", ".5m", "512"), in bytes: units are powers of
 * `unit`, whether they are written with an "i" or not. Undefined for any other text.
 */
export function parseBytes(text: string, unit: 1000 | 1024 = 1024): number | undefined {
  const match = /^(\d+\.?\d*|\.\d+) ?([kmgtp]?)(?:i?b)?$/i.exec(text.trim());
  if (!match) return undefined;
  const bytes = Math.floor(
    Number(match[1]) * unit ** (powers[(match[2] ?? "").toLowerCase()] ?? 0),
  );
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Bytes as Docker prints them: decimal units and three significant digits ("1.24MB"), four for volumes. */
export function formatBytes(bytes: number, digits = 3): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${Number.parseFloat(value.toPrecision(digits))}${units[unit]}`;
}

/** Whether all bytes are zero. */
export function areZeros(bytes: Uint8Array): boolean {
  if (bytes.byteLength === 0) return true;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Each byte equals the one before it.
  return buffer[0] === 0 && buffer.subarray(1).equals(buffer.subarray(0, -1));
}
