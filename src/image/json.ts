import { Fault } from "#base";

/** Bytes of a manifest, index or configuration; larger ones are refused, as registries do. */
export const maxDocumentBytes = 4 << 20;
const maxDepth = 64;

/**
 * A place in a JSON document that is being checked: every complaint names the
 * document and the path to the place ("manifest sha256:...: layers[2].size ...").
 */
export class JsonCursor {
  readonly value: unknown;
  readonly #document: string;
  readonly #path: string;

  constructor(document: string, value: unknown, path = "") {
    this.#document = document;
    this.value = value;
    this.#path = path;
  }

  /**
   * Throws `invalid`, with the document, the place and the complaint, which continues the sentence
   * ("must be a string").
   */
  fail(complaint: string): never {
    const at = this.#path === "" ? "" : `${this.#path} `;
    throw new Fault("invalid", `${this.#document}: ${at}${complaint}`, { about: this.#document });
  }

  /** The member of an object; absent and null are the same. `invalid` when this is no object. */
  at(key: string): JsonCursor {
    const own = Object.hasOwn(this.object(), key) ? this.object()[key] : undefined;
    return this.#step(own, this.#path === "" ? key : `${this.#path}.${key}`);
  }

  /** Whether the value is missing or null. */
  get absent(): boolean {
    return this.value === undefined || this.value === null;
  }

  /** The result of `check`, or undefined when the value is absent or null. */
  optional<T>(check: (cursor: JsonCursor) => T): T | undefined {
    return this.absent ? undefined : check(this);
  }

  /** The object; neither null nor a list is one. */
  object(): Record<string, unknown> {
    if (typeof this.value !== "object" || this.value === null || Array.isArray(this.value)) {
      return this.fail("must be an object");
    }
    return this.value as Record<string, unknown>;
  }

  /** The string; one above `maxLength` UTF-16 units (1 Mi by default) is refused. */
  string(maxLength = 1 << 20): string {
    if (typeof this.value !== "string") return this.fail("must be a string");
    if (this.value.length > maxLength) return this.fail(`is longer than ${maxLength} characters`);
    return this.value;
  }

  /** The boolean; 0, 1 and texts are refused. */
  boolean(): boolean {
    return typeof this.value === "boolean" ? this.value : this.fail("must be true or false");
  }

  /** An integer that a double holds exactly (up to 2^53 - 1). */
  integer(): number {
    return Number.isSafeInteger(this.value)
      ? (this.value as number)
      : this.fail("must be an integer");
  }

  /** An integer of 0 or more. */
  size(): number {
    const value = this.integer();
    return value >= 0 ? value : this.fail("must not be negative");
  }

  /** The members of a list of at most `limit`, each through `check`. */
  list<T>(limit: number, check: (cursor: JsonCursor) => T): T[] {
    if (!Array.isArray(this.value)) return this.fail("must be a list");
    if (this.value.length > limit) return this.fail(`has more than ${limit} members`);
    return this.value.map((each, index) => check(this.#step(each, `${this.#path}[${index}]`)));
  }

  /**
   * The values of an object of at most `limit` members, each through `check`; keys of any spelling
   * are safe ("__proto__" too).
   */
  map<T>(limit: number, check: (cursor: JsonCursor) => T): Readonly<Record<string, T>> {
    const entries = Object.entries(this.object());
    if (entries.length > limit) return this.fail(`has more than ${limit} members`);
    return Object.fromEntries(
      entries.map(([key, value]) => [
        key,
        check(this.#step(value, `${this.#path}[${JSON.stringify(key)}]`)),
      ]),
    );
  }

  /** The string through `parse`, whose complaint is told at this place. */
  as<T>(parse: (text: string) => T): T {
    const text = this.string();
    try {
      return parse(text);
    } catch (error) {
      return this.fail(error instanceof Error ? error.message : String(error));
    }
  }

  #step(value: unknown, path: string): JsonCursor {
    return new JsonCursor(this.#document, value, path);
  }
}

/**
 * Parses a stranger's JSON: `exhausted` above 4 MiB, `invalid` when it is not UTF-8, not JSON or
 * nested deeper than 64 levels. `document` names it in every message.
 */
export function parseJson(document: string, bytes: Uint8Array): JsonCursor {
  const root = new JsonCursor(document, undefined);
  if (bytes.byteLength > maxDocumentBytes) {
    throw new Fault(
      "exhausted",
      `${document} has ${bytes.byteLength} bytes, more than the limit of ${maxDocumentBytes}`,
      { about: document },
    );
  }
  checkDepth(root, bytes);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return root.fail("is not UTF-8");
  }
  try {
    return new JsonCursor(document, JSON.parse(text));
  } catch (error) {
    return root.fail(`is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Depth is counted on the bytes, so that a bomb never reaches the recursive parser. */
function checkDepth(root: JsonCursor, bytes: Uint8Array): void {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (quoted) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) quoted = false;
    } else if (byte === 0x22) quoted = true;
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > maxDepth) root.fail(`is nested deeper than ${maxDepth} levels`);
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
}
