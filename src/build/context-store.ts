import { createHash, randomUUID } from "node:crypto";
import { Fault } from "#base";
import { matchTree, unpackTree } from "#layer";
import type { KeptDirectories, KeptDirectory } from "./kept-directories.ts";

/** Bytes of a list that are kept until the files have come. */
const maxList = 512 << 20;

/** A directory of the engine's with a client's files, as long as it is not disposed of. */
interface ReceivedContext extends AsyncDisposable {
  readonly directory: string;
  /** A file beside it that keeps digests of the files. */
  readonly memo: string;
  /** Names what is in it, as long as this program runs. */
  readonly identity: string;
}

/** A directory that is being made equal to a client's; disposing of it ends that. */
export interface ContextTransfer extends AsyncDisposable {
  /** Lines of the list, counted from 0, of files whose content has to come. */
  readonly wanted: Uint32Array;
  /** Takes a tar of these files. `invalid` when it does not have what was listed. */
  fill(archive: AsyncIterable<Uint8Array>): Promise<void>;
  /** The context, which is the caller's from then on; only when nothing is wanted any more. */
  take(): ReceivedContext;
}

/**
 * Makes copies of clients' directories equal to their lists. The copies tell by themselves what they
 * have: what a crash left half received is sent again.
 */
export class ContextStore {
  readonly #directories: Pick<KeptDirectories, "take">;

  constructor(directories: Pick<KeptDirectories, "take">) {
    this.#directories = directories;
  }

  /** Begins to make the copy of a directory equal to its client's list (JSON lines of `ContextEntry`). */
  async begin(
    key: string,
    list: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<ContextTransfer> {
    const kept = this.#directories.take(`list\0${key}`);
    const { directory } = kept;
    try {
      const { chunks, digest } = await collected(list);
      if (kept.known instanceof Contents && kept.known.list === digest) {
        return new Transfer({ kept, digest, chunks, signal, wanted: new Uint32Array() });
      }
      kept.known = undefined;
      const options = signal ? { signal } : {};
      const { wanted } = await matchTree(replay(chunks), { directory }, options);
      return new Transfer({ kept, digest, chunks, signal, wanted });
    } catch (error) {
      await kept[Symbol.asyncDispose]();
      throw error;
    }
  }
}

/** The list that a copy is equal to, and a name for what it has. Nothing but a transfer changes it. */
class Contents implements Disposable {
  readonly list: string;
  readonly identity = randomUUID();

  constructor(list: string) {
    this.list = list;
  }

  [Symbol.dispose](): void {
    // It is in memory alone.
  }
}

/** A list whole, and what tells it from others. */
async function collected(
  list: AsyncIterable<Uint8Array>,
): Promise<{ readonly chunks: readonly Uint8Array[]; readonly digest: string }> {
  const chunks: Uint8Array[] = [];
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of list) {
    size += chunk.byteLength;
    if (size > maxList) {
      throw new Fault("exhausted", `the list of the context has more than ${maxList} bytes`);
    }
    chunks.push(chunk);
    hash.update(chunk);
  }
  return { chunks, digest: hash.digest("hex") };
}

async function* replay(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void> {
  yield* chunks;
}

interface TransferParts {
  readonly kept: KeptDirectory;
  readonly wanted: Uint32Array;
  readonly chunks: readonly Uint8Array[];
  /** Of the list. */
  readonly digest: string;
  readonly signal: AbortSignal | undefined;
}

class Transfer implements ContextTransfer {
  readonly #parts: TransferParts;
  #wanted: Uint32Array;
  #isTaken = false;

  constructor(parts: TransferParts) {
    this.#parts = parts;
    this.#wanted = parts.wanted;
  }

  get wanted(): Uint32Array {
    return this.#wanted;
  }

  async fill(archive: AsyncIterable<Uint8Array>): Promise<void> {
    const { kept, chunks, signal } = this.#parts;
    const { directory } = kept;
    const options = signal ? { signal } : {};
    const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    await unpackTree({ stream: archive }, directory, { keepsRoot: true, owner, ...options });
    const { wanted } = await matchTree(replay(chunks), { directory }, options);
    this.#wanted = wanted;
    const [first] = wanted;
    if (first === undefined) return;
    throw new Fault(
      "invalid",
      `the client has not sent ${wanted.length} of the files that it listed, that of line ${first + 1} first`,
    );
  }

  take(): ReceivedContext {
    if (this.#wanted.length > 0 || this.#isTaken) {
      throw new Fault("conflict", "the files of the context have not come yet");
    }
    this.#isTaken = true;
    const { kept, digest } = this.#parts;
    const known = kept.known instanceof Contents ? kept.known : new Contents(digest);
    kept.known = known;
    const { directory, memo } = kept;
    const release = () => kept[Symbol.asyncDispose]();
    return { directory, memo, identity: known.identity, [Symbol.asyncDispose]: release };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isTaken) return;
    this.#isTaken = true;
    await this.#parts.kept[Symbol.asyncDispose]();
  }
}
