import { Fault } from "#base";

/**
 * The strings one after another, each with its NUL, as the addon takes lists; `invalid` when one
 * contains a NUL. `what` names one of them in the message.
 */
export function packStrings(texts: readonly string[], what: string): Uint8Array {
  for (const text of texts)
    if (text.includes("\0"))
      throw new Fault("invalid", `${what} must not contain NUL bytes: ${JSON.stringify(text)}`);
  return Buffer.from(texts.map((text) => `${text}\0`).join(""));
}
