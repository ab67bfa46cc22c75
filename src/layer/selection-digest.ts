import { type Digest, Digester } from "#image";
import { openRegularFile, readInto, readlinkatBytes } from "#kernel";
import { readXattrs } from "./attributes.ts";
import { chunkSize } from "./compression.ts";
import type { DigestMemo } from "./digest-memo.ts";
import { type SelectedEntry, type Selection, SelectionReader } from "./selection.ts";
import { joinPath, unlessGone } from "./walk.ts";

/** One file that counts, for who wants to know what has changed. */
export interface DigestedFile {
  /** From the root of the tree. */
  readonly path: string;
  readonly digest: string;
}

/**
 * Digests of the files of a selection: names, types, modes, owners, targets of links, content and
 * extended attributes; never times.
 */
export class SelectionDigester {
  readonly #memo: DigestMemo | undefined;
  readonly #hash = new Digester();
  #buffer: Buffer | undefined;

  constructor(memo?: DigestMemo) {
    this.#memo = memo;
  }

  /** Adds the files of a selection; between them gives bytes that were hashed. */
  *add(selection: Selection): Generator<number | DigestedFile, void> {
    using reader = new SelectionReader(selection);
    for (const match of reader.matches()) {
      const base = match.path.slice(match.path.lastIndexOf("/") + 1);
      this.#hash.update(Buffer.from(`\0${match.isDirectory ? "" : base}\0`, "latin1"));
      const links = new Map<string, string>();
      for (const entry of reader.entries(match)) {
        // The top of a directory gets no attributes of its own when it is copied.
        if (entry.kind === "leave" || (entry.path === "" && match.isDirectory)) continue;
        const line = yield* this.#describe(entry, joinPath(match.real, entry.path), links);
        this.#hash.update(Buffer.from(`${entry.path}\0${line}\n`, "latin1"));
        yield { path: joinPath(match.path, entry.path), digest: line };
      }
    }
  }

  digest(): Digest {
    return this.#hash.digest();
  }

  *#describe(
    entry: Extract<SelectedEntry, { readonly kind: "entry" }>,
    path: string,
    links: Map<string, string>,
  ): Generator<number, string> {
    const { type, stat, directory, entry: name } = entry;
    const mode = type === "symlink" ? 0 : stat.mode & 0o7777;
    const words: (string | number)[] = [type, mode, stat.uid, stat.gid];
    if (type === "symlink") {
      words.push(unlessGone(() => readlinkatBytes(directory, name))?.toString("latin1") ?? "");
    } else if (type === "file") {
      // Names of one file stay names of one file.
      const key = `${stat.dev}:${stat.ino}`;
      const first = stat.nlink > 1 ? links.get(key) : undefined;
      if (first === undefined && stat.nlink > 1) links.set(key, entry.path);
      words.push(first ?? "", yield* this.#content(entry, path));
    } else if (type !== "directory") words.push(stat.rdev.major, stat.rdev.minor);
    if (type !== "symlink" && type !== "file") words.push(...attributeWords(entry));
    return words.join("\0");
  }

  /** The digest of a file's content, and its extended attributes, which its ctime tells of too. */
  *#content(found: Entry, path: string): Generator<number, string> {
    const { directory, entry, stat } = found;
    const known = this.#memo?.get(path, stat);
    if (known !== undefined) return known;
    using file = unlessGone(() => openRegularFile(directory, entry));
    if (!file) return "";
    this.#buffer ??= Buffer.allocUnsafe(chunkSize);
    const hash = new Digester();
    for (let got = readInto(file, this.#buffer); got > 0; got = readInto(file, this.#buffer)) {
      hash.update(this.#buffer.subarray(0, got));
      yield got;
    }
    const text = [hash.digest(), ...attributeWords(found)].join("\0");
    this.#memo?.set(path, stat, text);
    return text;
  }
}

type Entry = Extract<SelectedEntry, { readonly kind: "entry" }>;

function attributeWords({ directory, entry }: Entry): string[] {
  const xattrs = readXattrs({ directory, name: entry });
  if (!xattrs) return [];
  return [...xattrs]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, value]) => [name, Buffer.from(value).toString("hex")]);
}
