/** PAX extended header records, "LENGTH KEY=VALUE\n": POSIX pax(1), "pax Extended Header". One character a byte. */

export type PaxRecord = readonly [key: string, value: string];

/** Parses a block of records; undefined when it is malformed. Repeated keys stay, in order. */
export function parsePax(bytes: Buffer): PaxRecord[] | undefined {
  const records: PaxRecord[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    if (space < 0 || space === at || space - at > 10) return undefined;
    const digits = bytes.toString("latin1", at, space);
    if (!/^[1-9]\d*$/.test(digits)) return undefined;
    const end = at + Number(digits);
    if (end > bytes.length || end <= space + 1 || bytes[end - 1] !== 0x0a) return undefined;
    const equals = bytes.indexOf(0x3d, space);
    if (equals < 0 || equals >= end || equals === space + 1) return undefined;
    const key = bytes.toString("latin1", space + 1, equals);
    if (key.includes("\0")) return undefined;
    records.push([key, bytes.toString("latin1", equals + 1, end - 1)]);
    at = end;
  }
  return records;
}

/**
 * The body of an extended header: "LENGTH KEY=VALUE" lines, whose length counts its own digits
 * (POSIX pax, "pax Extended Header").
 */
export function encodePax(records: readonly PaxRecord[]): Buffer {
  const encoded = records.map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) {
      length = String(length).length + rest.length;
    }
    return Buffer.from(`${length}${rest}`, "latin1");
  });
  return Buffer.concat(encoded);
}

/** Seconds with a fraction ("-1.5") as nanoseconds; digits beyond the ninth are cut off. */
export function parsePaxTime(text: string): bigint | undefined {
  const match = /^(-?)(\d{1,20})(?:\.(\d{0,64}))?$/.exec(text);
  if (!match) return undefined;
  const [, sign, seconds = "0", fraction = ""] = match;
  const value = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  return sign === "-" ? -value : value;
}

/** Seconds since the epoch with as many decimals as needed. */
export function formatPaxTime(nanoseconds: bigint): string {
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const fraction = (size % 1_000_000_000n).toString().padStart(9, "0").replace(/0+$/, "");
  const sign = nanoseconds < 0n ? "-" : "";
  return `${sign}${size / 1_000_000_000n}${fraction === "" ? "" : `.${fraction}`}`;
}
