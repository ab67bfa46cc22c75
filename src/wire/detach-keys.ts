import { Fault } from "#base";

export const defaultDetachKeys = "ctrl-p,ctrl-q";

/**
 * The bytes of a sequence as `--detach-keys` takes it: "ctrl-p,ctrl-q", "ctrl-@", "a,b". An
 * `invalid` fault names the key that is unknown.
 */
export function parseDetachKeys(text: string): Uint8Array {
  return Uint8Array.from(text.split(",").map(keyByte));
}

function keyByte(key: string): number {
  if (key.length === 1 && key.charCodeAt(0) < 0x80) return key.charCodeAt(0);
  if (key === "DEL") return 0x7f;
  const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
  if (control === undefined)
    throw new Fault(
      "invalid",
      `invalid detach keys: unknown character "${key}": write a character, DEL, or ctrl- and one of a-z, @, [, \\, ], ^, _`,
    );
  return control.toUpperCase().charCodeAt(0) & 0x1f;
}

/**
 * Watches a terminal's input for the detach keys. Bytes that may begin the sequence
 * are held back until they turn out not to: a lone ctrl-p reaches the program with
 * the next key, as in Docker.
 */
export class DetachFilter {
  readonly #keys: Uint8Array;
  #matched = 0;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  /**
   * The bytes for the program, and whether the sequence is complete; bytes after it are dropped.
   */
  push(bytes: Uint8Array): { readonly pass: Uint8Array; readonly detach: boolean } {
    const pass = new Uint8Array(this.#matched + bytes.byteLength);
    let length = 0;
    for (const byte of bytes) {
      if (byte !== this.#keys[this.#matched]) {
        pass.set(this.#keys.subarray(0, this.#matched), length);
        length += this.#matched;
        this.#matched = 0;
      }
      if (byte !== this.#keys[this.#matched]) pass[length++] = byte;
      else if (++this.#matched === this.#keys.byteLength)
        return { pass: pass.subarray(0, length), detach: true };
    }
    return { pass: pass.subarray(0, length), detach: false };
  }
}
