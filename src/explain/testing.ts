import { createHash } from "node:crypto";
import { textToName } from "#tar";
import type { LayerEntry, LayerSource } from "./layer-source.ts";

/** An entry as a test writes it: a file unless it says otherwise. */
export interface FakeEntry extends Partial<Omit<LayerEntry, "size">> {
  readonly path: string;
  /** Of a file; a number stands for so many equal bytes. */
  readonly content?: string | number;
  /** Extended attributes, as one text. */
  readonly attributes?: string;
}

/** A layer that was never on a disk. */
export class FakeLayer implements LayerSource {
  readonly #entries = new Map<string, LayerEntry & { content: Buffer; attributes: string }>();
  /** Paths whose content was compared. */
  readonly digested: string[] = [];

  constructor(entries: readonly FakeEntry[]) {
    const linked = new Set(entries.map(({ linkName }) => linkName));
    for (const { content = "", attributes = "", ...entry } of entries) {
      const bytes = typeof content === "number" ? Buffer.alloc(content, "x") : Buffer.from(content);
      const type = entry.type ?? "file";
      const mode = type === "directory" ? 0o755 : type === "symlink" ? 0o777 : 0o644;
      const path = textToName(entry.path);
      const whole = {
        linked: linked.has(entry.path),
        mode,
        uid: 0,
        gid: 0,
        type,
        ...entry,
        path,
        size: bytes.length,
      };
      this.#entries.set(path, { ...whole, content: bytes, attributes });
    }
  }

  *entries(): Generator<LayerEntry, void> {
    for (const { content: _, attributes: __, ...entry } of this.#entries.values()) yield entry;
  }

  entry(path: string): LayerEntry | undefined {
    return this.#entries.get(path);
  }

  read(path: string, limit: number): Buffer | undefined {
    const content = this.#entries.get(path)?.content;
    return content && content.length <= limit ? content : undefined;
  }

  digest(path: string): string | undefined {
    this.digested.push(path);
    const content = this.#entries.get(path)?.content;
    return content && createHash("sha256").update(content).digest("hex");
  }

  attributes(path: string): string {
    return this.#entries.get(path)?.attributes ?? "";
  }
}
