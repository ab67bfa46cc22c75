import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import type { Stat } from "#kernel";

interface Known {
  readonly size: number;
  /** Nanoseconds, as text. */
  readonly mtime: string;
  readonly ctime: string;
  readonly ino: string;
  readonly digest: string;
}

/** How many memos a worker has in memory. */
const maxLoaded = 8;
const loaded = new Map<string, DigestMemo>();

/**
 * Digests of the files of one directory that were computed before, with what tells whether a file is
 * still the same. They are kept in a file; what is lost of it is computed again.
 */
export class DigestMemo {
  readonly #path: string;
  #known: Map<string, Known>;
  #isChanged = false;
  #version: string;

  private constructor(path: string) {
    this.#path = path;
    [this.#known, this.#version] = load(path);
  }

  /** The memo of a file, which need not exist; once read it stays in memory for a while. */
  static open(path: string): DigestMemo {
    const memo = loaded.get(path) ?? new DigestMemo(path);
    loaded.delete(path);
    loaded.set(path, memo);
    const [oldest] = loaded.keys();
    if (loaded.size > maxLoaded && oldest !== undefined) loaded.delete(oldest);
    memo.#refresh();
    return memo;
  }

  get(path: string, stat: Stat): string | undefined {
    const known = this.#known.get(path);
    const isSame =
      known !== undefined &&
      known.size === stat.size &&
      known.ino === String(stat.ino) &&
      known.mtime === String(stat.mtime) &&
      known.ctime === String(stat.ctime);
    return isSame ? known.digest : undefined;
  }

  set(path: string, { size, mtime, ctime, ino }: Stat, digest: string): void {
    const times = { mtime: String(mtime), ctime: String(ctime) };
    this.#known.set(path, { size, ...times, ino: String(ino), digest });
    this.#isChanged = true;
  }

  /** Writes what has changed; another worker's version of the file is replaced. */
  save(): void {
    if (!this.#isChanged) return;
    const text = JSON.stringify([...this.#known].map(([path, known]) => [path, ...values(known)]));
    const draft = `${this.#path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
    writeFileSync(draft, text, { mode: 0o600 });
    renameSync(draft, this.#path);
    this.#isChanged = false;
    this.#version = versionOf(this.#path);
  }

  /** Reads the file again when another worker has written it. */
  #refresh(): void {
    if (this.#isChanged || versionOf(this.#path) === this.#version) return;
    [this.#known, this.#version] = load(this.#path);
  }
}

type Row = readonly [path: string, ...values: ReturnType<typeof values>];

function values({ size, mtime, ctime, ino, digest }: Known) {
  return [size, mtime, ctime, ino, digest] as const;
}

function load(path: string): [known: Map<string, Known>, version: string] {
  const version = versionOf(path);
  const known = new Map<string, Known>();
  try {
    // Only this program writes the file, in one piece.
    const rows = version === "" ? [] : (JSON.parse(readFileSync(path, "utf8")) as readonly Row[]);
    for (const [name, size, mtime, ctime, ino, digest] of rows) {
      known.set(name, { size, mtime, ctime, ino, digest });
    }
  } catch {
    return [new Map(), version];
  }
  return [known, version];
}

/** Tells one version of a file from the next; "" for none. */
function versionOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat ? `${stat.ino}:${stat.mtimeNs}` : "";
}
