import { Fault } from "#base";

/** NUL-terminated strings after one another, as the addon takes lists. */
export function packStrings(texts: readonly string[], what: string): Uint8Array {
  for (const text of texts)
    if (text.includes("\0"))
      throw new Fault("invalid", `${what} must not contain NUL bytes: ${JSON.stringify(text)}`);
  return Buffer.from(texts.map((text) => `${text}\0`).join(""));
}
