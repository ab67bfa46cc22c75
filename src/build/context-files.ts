import { Fault, isFault } from "#base";
import {
  fstatat,
  O_DIRECTORY,
  O_PATH,
  openat2,
  openRegularFile,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  readInto,
} from "#kernel";
import { scanTree } from "#layer";
import type { BuildContext } from "./contract.ts";

/** A Dockerfile that is longer is none. */
const maxFile = 4 << 20;

/** A small file of a context, links followed within it; undefined when it is missing or no file. */
export function readContextFile({ directory }: BuildContext, path: string): Buffer | undefined {
  try {
    using root = openat2(undefined, directory, { flags: O_PATH | O_DIRECTORY });
    const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    using found = openat2(root, path, { flags: O_PATH, resolve });
    using file = openRegularFile(found, "");
    if (!file) return undefined;
    const { size } = fstatat(file, "", false);
    if (size > maxFile) {
      throw new Fault("exhausted", `${path} has more than ${maxFile} bytes`, { about: path });
    }
    const bytes = Buffer.alloc(size);
    return bytes.subarray(0, readInto(file, bytes, 0));
  } catch (error) {
    if (isFault(error, "not_found")) return undefined;
    throw error;
  }
}

/** How many contexts' times are kept. */
const maxKnown = 64;

/** Times of contexts, each looked for once while its files stay the same. */
export class ContextTimes {
  readonly #known = new Map<string, bigint>();

  /** The time of the file of a context that was changed last, in nanoseconds since 1970; 0 without files. */
  async newest({ directory, identity }: BuildContext, signal: AbortSignal): Promise<bigint> {
    const known = identity === undefined ? undefined : this.#known.get(identity);
    if (known !== undefined) return known;
    let newest = 0n;
    for await (const batch of scanTree({ directory, mode: "tree" }, { signal })) {
      for (const { type, mtime } of batch) {
        if (type !== "directory" && mtime > newest) newest = mtime;
      }
    }
    if (identity !== undefined) this.#remember(identity, newest);
    return newest;
  }

  #remember(identity: string, newest: bigint): void {
    this.#known.set(identity, newest);
    const [oldest] = this.#known.keys();
    if (this.#known.size > maxKnown && oldest !== undefined) this.#known.delete(oldest);
  }
}
