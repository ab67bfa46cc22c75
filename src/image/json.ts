import { Fault } from "#base";

/** Manifests, indexes and configurations above this are refused, as registries do. */
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

  fail(complaint: string): never {
    const at = this.#path === "" ? "" : `${this.#path} `;
    throw new Fault("invalid", `${this.#document}: ${at}${complaint}`, { about: this.#document });
  }

  /** The member; absent and null are the same. */
  at(key: string): JsonCursor {
    const own = Object.hasOwn(this.object(), key) ? this.object()[key] : undefined;
    return this.#step(own, this.#path === "" ? key : `${this.#path}.${key}`);
  }

  get absent(): boolean {
    return this.value === undefined || this.value === null;
  }

  /** `check` on what is there, undefined on what is not. */
  optional<T>(check: (cursor: JsonCursor) => T): T | undefined {
    return this.absent ? undefined : check(this);
  }

  object(): Record<string, unknown> {
    if (typeof this.value !== "object" || this.value === null || Array.isArray(this.value)) {
      return this.fail("must be an object");
    }
    return this.value as Record<string, unknown>;
  }

  string(maxLength = 1 << 20): string {
    if (typeof this.value !== "string") return this.fail("must be a string");
    if (this.value.length > maxLength) return this.fail(`is longer than ${maxLength} characters`);
    return this.value;
  }

  boolean(): boolean {
    return typeof this.value === "boolean" ? this.value : this.fail("must be true or false");
  }

  integer(): number {
    return Number.isSafeInteger(this.value)
      ? (this.value as number)
      : this.fail("must be an integer");
  }

  size(): number {
    const value = this.integer();
    return value >= 0 ? value : this.fail("must not be negative");
  }

  list<T>(limit: number, check: (cursor: JsonCursor) => T): T[] {
    if (!Array.isArray(this.value)) return this.fail("must be a list");
    if (this.value.length > limit) return this.fail(`has more than ${limit} members`);
    return this.value.map((each, index) => check(this.#step(each, `${this.#path}[${index}]`)));
  }

  /** An object used as a map; own keys of any spelling are safe ("__proto__" too). */
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

  /** `parse`, with its complaint told at this place. */
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

/** Parses JSON of a stranger: at most 4 MiB of UTF-8, nested at most 64 deep. */
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
