/** More than the answer to one message can be. */
const limit = 4096;

/**
 * Reads the acknowledgements of Fluentd's forward protocol: each a map in MessagePack, `{"ack": text}`.
 * Throws at anything else, also at other keys.
 */
export class AcknowledgementReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The texts of the acknowledgements that are complete. */
  push(bytes: Uint8Array): string[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const texts: string[] = [];
    for (;;) {
      const found = readAcknowledgement(this.#rest);
      if (!found) break;
      texts.push(found.text);
      this.#rest = this.#rest.subarray(found.size);
    }
    if (this.#rest.byteLength > limit) throw new Error("the acknowledgement is too long");
    return texts;
  }
}

const [mapOfOne, ack] = [0x81, "ack"] as const;

function readAcknowledgement(bytes: Buffer): { text: string; size: number } | undefined {
  if (bytes.byteLength === 0) return undefined;
  if (bytes[0] !== mapOfOne) throw new Error("not a map of one");
  const key = readText(bytes, 1);
  if (!key) return undefined;
  if (key.text !== ack) throw new Error("not an acknowledgement");
  const value = readText(bytes, key.end);
  return value && { text: value.text, size: value.end };
}

function readText(bytes: Buffer, at: number): { text: string; end: number } | undefined {
  const code = bytes[at];
  if (code === undefined) return undefined;
  const wide = { 217: 1, 218: 2 }[code];
  if (wide === undefined && (code < 0xa0 || code > 0xbf)) throw new Error("not a text");
  const begin = at + 1 + (wide ?? 0);
  if (bytes.byteLength < begin) return undefined;
  const length = wide === undefined ? code - 0xa0 : bytes.readUIntBE(at + 1, wide);
  if (bytes.byteLength < begin + length) return undefined;
  return { text: bytes.toString("utf8", begin, begin + length), end: begin + length };
}
