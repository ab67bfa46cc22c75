import { createHash, randomUUID } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#base";
import { makePrivateDirectory, removeTree } from "#kernel";
import { matchTree, unpackTree } from "#layer";

/** How many directories are kept for later builds. */
const maxIdle = 16;
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
 * Directories of clients, kept between builds, so that a client sends only what has changed. A key
 * names the client's directory; builds of the same one at the same time have a copy each. The copies
 * tell by themselves what they have: what a crash left half received is sent again.
 */
export class ContextStore {
  readonly #root: string;
  /** Names of directories that no build has, that used longest ago first. */
  readonly #idle = new Set<string>();
  readonly #used = new Set<string>();
  /** By name, what a copy was made equal to. Nothing but a transfer changes it. */
  readonly #contents = new Map<string, Contents>();

  /** @param root a directory of its own, made if it is missing */
  constructor(root: string) {
    this.#root = root;
    makePrivateDirectory(root);
    const names = readdirSync(root).filter((name) => /^[0-9a-f]{32}-\d+$/.test(name));
    const time = (name: string) => statSync(join(root, name)).mtimeMs;
    for (const name of names.toSorted((a, b) => time(a) - time(b))) this.#idle.add(name);
  }

  /** Begins to make the copy of a directory equal to its client's list (JSON lines of `ContextEntry`). */
  async begin(
    key: string,
    list: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<ContextTransfer> {
    const name = this.#reserve(key);
    const directory = join(this.#root, name, "files");
    const options = signal ? { signal } : {};
    try {
      mkdirSync(directory, { recursive: true });
      // Steps of any user see it as a mount; what is above it is closed.
      chmodSync(directory, 0o755);
      const { chunks, digest } = await collected(list);
      const release = () => this.#release(name);
      const parts = { directory, chunks, signal, release };
      const known = this.#contents.get(name);
      if (known?.list === digest) {
        return new Transfer({ ...parts, wanted: new Uint32Array(), take: () => known.identity });
      }
      this.#contents.delete(name);
      const { wanted } = await matchTree(replay(chunks), { directory }, options);
      const take = () => {
        const identity = randomUUID();
        this.#contents.set(name, { list: digest, identity });
        return identity;
      };
      return new Transfer({ ...parts, wanted, take });
    } catch (error) {
      await this.#release(name);
      throw error;
    }
  }

  /** Removes the copies that no build has; gives their number. */
  async prune(): Promise<number> {
    const names = [...this.#idle];
    this.#idle.clear();
    for (const name of names) this.#contents.delete(name);
    for (const name of names) await removeTree(join(this.#root, name));
    return names.length;
  }

  #reserve(key: string): string {
    const id = createHash("sha256").update(key).digest("hex").slice(0, 32);
    const idle = [...this.#idle].findLast((name) => name.startsWith(`${id}-`));
    const name = idle ?? this.#newName(id);
    this.#idle.delete(name);
    this.#used.add(name);
    return name;
  }

  #newName(id: string): string {
    for (let number = 0; ; number++) {
      const name = `${id}-${number}`;
      if (!this.#used.has(name) && !this.#idle.has(name)) return name;
    }
  }

  async #release(name: string): Promise<void> {
    this.#used.delete(name);
    this.#idle.add(name);
    const [oldest] = this.#idle;
    if (this.#idle.size <= maxIdle || oldest === undefined) return;
    this.#idle.delete(oldest);
    this.#contents.delete(oldest);
    await removeTree(join(this.#root, oldest));
  }
}

/** The list that a copy was made equal to. */
interface Contents {
  readonly list: string;
  readonly identity: string;
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
  readonly directory: string;
  readonly wanted: Uint32Array;
  readonly chunks: readonly Uint8Array[];
  readonly signal: AbortSignal | undefined;
  /** Called when the copy is equal to its list; gives what names its content. */
  readonly take: () => string;
  readonly release: () => Promise<void>;
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
    const { directory, chunks, signal } = this.#parts;
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
    const { directory, take, release } = this.#parts;
    return {
      directory,
      memo: `${directory}.memo`,
      identity: take(),
      [Symbol.asyncDispose]: release,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isTaken) return;
    this.#isTaken = true;
    await this.#parts.release();
  }
}
